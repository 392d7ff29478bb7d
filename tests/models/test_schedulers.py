"""Which schedulers a model offers, told from its files or its family, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.models import schedulers
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import parse_request

RECORDS = Registry.read().records
SD15, SDXL = "stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-xl-base-1.0"


def record(name: str) -> ModelRecord:
    return Registry.read().find(name)


def stored(folder: Path, kind: str, like: str = SDXL, **config: Any) -> ModelRecord:
    """A record of `like`'s family whose checkpoint, in `folder`, has a scheduler of that class and configuration."""
    (folder / "scheduler").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"scheduler": ["diffusers", kind]}))
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"_class_name": kind} | config))
    return record(like).model_copy(update={"source": str(folder)})


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.id)
def test_every_model_offers_some_each_once_and_by_a_name_for_people(model: ModelRecord) -> None:
    names = schedulers.of(model)
    assert names
    assert len(set(names)) == len(names)
    assert len({schedulers.label(name) for name in names}) == len(names)
    assert not any("Scheduler" in schedulers.label(name) for name in names)


@pytest.mark.parametrize(
    ("model", "own"),
    [
        (SD15, "PNDMScheduler"),
        (SDXL, "EulerDiscreteScheduler"),
        ("stabilityai/sdxl-turbo", "EulerAncestralDiscreteScheduler"),
        ("demo", "FlowMatchEulerDiscreteScheduler"),
        ("Qwen/Qwen-Image", "FlowMatchEulerDiscreteScheduler"),
    ],
)
def test_a_model_s_own_scheduler_is_the_first(model: str, own: str) -> None:
    assert schedulers.of(record(model))[0] == own


@pytest.mark.parametrize(
    ("model", "possible", "impossible"),
    [
        (SD15, "DDIMScheduler", "FlowMatchEulerDiscreteScheduler"),
        (SD15, "UniPCMultistepScheduler", "EDMEulerScheduler"),
        ("demo", "FlowMatchHeunDiscreteScheduler", "DEISMultistepScheduler"),
        ("demo", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"),
        ("black-forest-labs/FLUX.1-dev", "DPMSolverMultistepScheduler", "FlowMatchHeunDiscreteScheduler"),
        ("Qwen/Qwen-Image", "UniPCMultistepScheduler", "DPMSolverMultistepScheduler"),
        ("Efficient-Large-Model/Sana_600M_512px_diffusers", "FlowMatchEulerDiscreteScheduler", "DDIMScheduler"),
        ("thu-ml/unidiffuser-v1", "DDIMScheduler", "EulerDiscreteScheduler"),
        ("PixArt-alpha/PixArt-XL-2-512x512", "EulerDiscreteScheduler", "KDPM2AncestralDiscreteScheduler"),
        ("zai-org/CogView3-Plus-3B", "CogVideoXDDIMScheduler", "DDIMScheduler"),
    ],
)
def test_only_what_suits_the_model_s_noise_and_its_pipeline_is_offered(
    model: str, possible: str, impossible: str
) -> None:
    names = schedulers.of(record(model))
    assert possible in names
    assert impossible not in names


def test_files_that_are_here_are_believed_more_than_the_family(tmp_path: Path) -> None:
    names = schedulers.of(stored(tmp_path, "DDIMScheduler", prediction_type="v_prediction"))
    assert names[0] == "DDIMScheduler"
    assert set(names) == set(schedulers.of(record(SDXL)))


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("LCMScheduler", {}),
        ("EDMDPMSolverMultistepScheduler", {}),
        ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
        ("UniPCMultistepScheduler", {"use_flow_sigmas": True}),
    ],
)
def test_a_checkpoint_that_was_trained_otherwise_than_its_family_keeps_its_own(
    tmp_path: Path, kind: str, config: dict[str, Any]
) -> None:
    assert schedulers.of(stored(tmp_path, kind, **config)) == (kind,)


def test_a_checkpoint_that_begins_at_pure_noise_offers_those_that_can_too(tmp_path: Path) -> None:
    names = schedulers.of(stored(tmp_path, "EulerDiscreteScheduler", rescale_betas_zero_snr=True))
    assert "DDIMScheduler" in names
    assert "PNDMScheduler" not in names


def test_a_flux_that_does_not_shift_its_steps_offers_fewer(tmp_path: Path) -> None:
    flux = "black-forest-labs/FLUX.1-dev"
    still = stored(tmp_path, "FlowMatchEulerDiscreteScheduler", flux, use_dynamic_shifting=False)
    assert schedulers.of(still) == ("FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler")


def test_a_single_file_has_the_scheduler_of_its_configuration(tmp_path: Path) -> None:
    folder = stored(tmp_path / "config", "DDIMScheduler").source
    (tmp_path / "mine.safetensors").touch()
    file = record(SDXL).model_copy(update={"source": str(tmp_path / "mine.safetensors"), "config": folder})
    assert schedulers.of(file)[0] == "DDIMScheduler"


def test_unreadable_files_count_as_absent_until_the_model_is_loaded(tmp_path: Path) -> None:
    broken = stored(tmp_path, "DDIMScheduler")
    (tmp_path / "scheduler" / "scheduler_config.json").write_text("{")
    assert schedulers.of(broken)[0] == "EulerDiscreteScheduler"


def test_a_family_of_which_nothing_is_known_offers_its_own_once_that_is_here(tmp_path: Path) -> None:
    new = {"family": "tomorrow"}
    assert schedulers.of(record(SDXL).model_copy(update=new)) == ()
    assert schedulers.of(stored(tmp_path, "DDIMScheduler").model_copy(update=new)) == ("DDIMScheduler",)


@pytest.mark.parametrize("name", ["DDIMScheduler", "NoSuchScheduler", "os"])
def test_another_scheduler_is_refused_with_the_possible_ones_before_anything_is_queued(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"Darkroom demo cannot use the scheduler {name}.") as caught:
        record("demo").check(parse_request(prompt="x", scheduler=name))
    assert caught.value.info.field == "scheduler"
    assert "Possible: FlowMatchEulerDiscreteScheduler, " in caught.value.info.remedy


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.id)
def test_what_is_offered_is_accepted(model: ModelRecord) -> None:
    for name in (None, *schedulers.of(model)):
        model.check(parse_request(prompt="x", scheduler=name))


def test_torch_is_not_needed_for_it() -> None:
    script = (
        "import sys; from pipeline.models import schedulers; from pipeline.models.registry import Registry\n"
        "[schedulers.of(record) for record in Registry.read().records]; print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_a_class_without_a_name_for_people_is_called_as_it_is() -> None:
    assert schedulers.label("FlowMatchEulerDiscreteScheduler") == "Euler (flow matching)"
    assert schedulers.label("LCMScheduler") == "LCM"
