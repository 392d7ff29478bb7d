"""The self-test of records, and that it notices what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipeline.engine.check import check, main
from pipeline.models.registry import ROOT, ModelRecord, Registry

SHIPPED = Registry.read()
FLUX = "black-forest-labs/FLUX.1-dev"


def changed(name: str, **changes) -> ModelRecord:
    return ModelRecord.model_validate(SHIPPED.find(name).model_dump() | changes)


def wrong(record: ModelRecord) -> dict[str, str]:
    """Name → finding of all that is not well."""
    return {found.name: found.finding for found in check(record) if not found.ok}


@pytest.mark.parametrize("record", SHIPPED.records, ids=lambda record: record.id)
def test_every_shipped_record_fits_the_installed_libraries(record):
    assert wrong(record) == {}


@pytest.mark.parametrize(
    ("name", "changes", "at", "words"),
    [
        ("demo", {"pipelines": {"text": "NoSuchPipeline"}}, "text pipeline", "does not have it"),
        ("demo", {"arguments": {"max_length": 3}}, "arguments", "max_length is not taken"),
        ("pixart-sigma", {"arguments": {"callback_on_step_end": 1}}, "arguments", "is not taken"),
        ("qwen", {"steps": {"default": 9, "min": 1, "max": 9, "argument": "steps"}}, "arguments", "steps is not taken"),
        ("sdxl-turbo", {"load_arguments": {"watermark": False}}, "components", "watermark is not taken"),
        ("demo", {"nf4": ("unet",)}, "components", "unet is not a component"),
        ("kandinsky", {"parts": {"first_": "a/b"}}, "components", "no component comes from a/b"),
        ("demo", {"size": {"native": (256, 250), "multiple": 16, "min": 64, "max": 256}}, "defaults", "256 × 250"),
        ("demo", {"licence": {"name": "Apache-2.0", "url": ""}}, "licence", "url is missing"),
    ],
)
def test_a_record_that_does_not_fit_is_told_where_and_why(name, changes, at, words):
    found = wrong(changed(name, **changes))
    assert set(found) == {at}
    assert words in found[at]


def test_pipelines_for_pictures_must_take_the_same_arguments_and_components() -> None:
    text = {"text": "StableDiffusion3Pipeline"}
    found = wrong(changed("demo", pipelines=text | {"image": "FluxImg2ImgPipeline", "inpaint": "SanaPipeline"}))
    assert found["inpaint arguments"].endswith("image is not taken; mask_image is not taken; strength is not taken")
    assert set(found) == {"inpaint arguments"}
    found = wrong(changed("demo", pipelines=text | {"image": "StableDiffusionImg2ImgPipeline"}))
    assert "max_sequence_length is not taken" in found["image arguments"]
    assert "unet is not in StableDiffusion3Pipeline" in found["image components"]


def test_a_missing_component_and_one_too_many_are_both_named():
    components = SHIPPED.find(FLUX).components
    [finding] = wrong(changed(FLUX, components={"unet": "sd15-unet", "vae": components["vae"]}, nf4=())).values()
    assert "unet is not taken" in finding
    assert "the record lacks text_encoder" in finding


def test_a_component_of_another_size_than_its_architecture_is_told_with_both_figures(monkeypatch):
    from pipeline.engine import check as module

    real = module.ARCHITECTURES
    monkeypatch.setattr(
        module, "ARCHITECTURES", {**real, "demo-vae": real["demo-vae"].model_copy(update={"linear": 7})}
    )
    assert "linear is 0, not 7" in wrong(SHIPPED.find("demo"))["vae"]


def test_a_configuration_that_its_class_refuses_is_told_and_does_not_stop_the_rest(monkeypatch):
    from pipeline.engine import check as module

    real = module.ARCHITECTURES
    broken = real["demo-vae"].model_copy(update={"config": {"no_such": 1}})
    monkeypatch.setattr(module, "ARCHITECTURES", {**real, "demo-vae": broken})
    found = wrong(SHIPPED.find("demo"))
    assert set(found) == {"vae"}
    assert "AutoencoderKL cannot be built" in found["vae"]


def test_a_record_without_known_components_is_checked_as_far_as_that_goes():
    assert wrong(changed("demo", components={})) == {}


@pytest.fixture(autouse=True)
def no_settings_of_ones_own(monkeypatch, tmp_path):
    monkeypatch.setenv("DARKROOM_OUTPUTS", str(tmp_path))
    monkeypatch.setenv("DARKROOM_WEIGHTS", str(tmp_path / "models"))


def test_as_a_program_it_prints_its_findings_by_model_as_json():
    command = [sys.executable, "-m", "pipeline.engine.check", "--json", "demo", "sdxl-turbo"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    assert list(found) == ["demo", "stabilityai/sdxl-turbo"]
    assert {"name": "text pipeline", "ok": True, "finding": "StableDiffusion3Pipeline"} in found["demo"]


def test_an_unknown_name_ends_with_two_and_a_sentence(capsys):
    assert main(["nope"]) == 2
    assert "There is no model named “nope”" in capsys.readouterr().err


def test_without_json_it_prints_a_line_for_each_finding(capsys):
    assert main(["demo"]) == 0
    assert "  ok  vae: AutoencoderKL, 951,395 parameters, 0% linear\n" in capsys.readouterr().out
