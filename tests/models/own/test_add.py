"""Adding checkpoints of one's own: from the hub, a folder or a file, and keeping their records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelInfo

from pipeline.errors import BadSettings, DarkroomError, InvalidRequest, ModelUnavailable, UnknownModel
from pipeline.models.own.add import _licence, append, from_anything, from_file, from_folder, from_hub, remove
from pipeline.models.registry import ModelRecord, Registry
from tests.hub_server import TOKEN, Fault, HubServer, use_hub
from tests.models.weight_files import LORA_SD15, SD15, write

KNOWN = Registry.read().records
WEIGHTS = {
    "unet/diffusion_pytorch_model.safetensors": bytes(1000),
    "vae/diffusion_pytorch_model.safetensors": bytes(50),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        use_hub(monkeypatch, server.url, tmp_path / "hub")
        yield server


def checkpoint(kind: str, unet: dict[str, Any], **more: Any) -> dict[str, bytes]:
    """The files of a repository whose `model_index.json` names the class `kind`."""
    index = {"_class_name": kind, "vae": ["diffusers", "AutoencoderKL"], "unet": ["diffusers", "UNet2DConditionModel"]}
    return {
        "model_index.json": json.dumps(index | more).encode(),
        "unet/config.json": json.dumps(unet).encode(),
        "vae/config.json": b"{}",
        **WEIGHTS,
    }


SD = checkpoint("StableDiffusionPipeline", {"cross_attention_dim": 768, "in_channels": 4})


def refused(name: str) -> str:
    with pytest.raises((InvalidRequest, ModelUnavailable)) as caught:
        from_hub(name, KNOWN)
    assert caught.value.info.field == "model"
    assert caught.value.info.remedy
    return caught.value.info.message


# -- from the hub


def test_a_repository_gets_the_record_of_its_family(server: HubServer, tmp_path: Path) -> None:
    server.add("acme/watercolour", SD)
    record = from_hub("acme/watercolour", KNOWN)
    template = Registry.read().find("stable-diffusion-v1-5/stable-diffusion-v1-5")
    assert (record.id, record.name, record.source) == ("acme/watercolour", "watercolour", "acme/watercolour")
    assert (record.family, record.steps, record.pipelines) == ("sd15", template.steps, template.pipelines)
    assert record.download_bytes == sum(len(content) for path, content in SD.items())
    assert not record.licence.gated
    assert not list((tmp_path / "hub").glob("**/*.json"))  # nothing looks like a download that began


def test_siblings_of_one_class_are_told_apart_by_their_configuration(server: HubServer) -> None:
    server.add("acme/two", checkpoint("StableDiffusionPipeline", {"cross_attention_dim": 1024}))
    server.add("acme/xl", checkpoint("StableDiffusionXLPipeline", {"cross_attention_dim": 2048}))
    assert from_hub("acme/two", KNOWN).family == "sd21"
    assert from_hub("https://huggingface.co/acme/xl", KNOWN).family == "sdxl"


def test_a_component_of_another_architecture_has_no_size_until_it_is_here(server: HubServer) -> None:
    small = {"cross_attention_dim": 2048, "transformer_layers_per_block": [0, 2, 4]}
    server.add("acme/small", checkpoint("StableDiffusionXLPipeline", small))
    record = from_hub("acme/small", KNOWN)
    assert "unet" not in record.components
    assert "text_encoder" in record.components


def test_a_decoder_s_repository_gets_the_two_stage_record_and_its_prior_is_refused(server: HubServer) -> None:
    server.add("acme/decoder", checkpoint("KandinskyV22Pipeline", {"in_channels": 4}))
    server.add("acme/prior", checkpoint("KandinskyV22PriorPipeline", {}))
    record = from_hub("acme/decoder", KNOWN)
    assert (record.family, list(record.parts)) == ("kandinsky22", ["prior_"])
    assert "only the prior" in refused("acme/prior")


def test_an_unknown_class_is_answered_with_the_known_families(server: HubServer) -> None:
    server.add("acme/video", checkpoint("WanPipeline", {}))
    with pytest.raises(InvalidRequest, match=r"needs WanPipeline, which no known family has.*Known: .*flux.*sdxl"):
        from_hub("acme/video", KNOWN)


def test_an_inpainting_checkpoint_is_refused(server: HubServer) -> None:
    server.add("acme/inpaint", checkpoint("StableDiffusionPipeline", {"in_channels": 9}))
    assert "takes 9 input channels" in refused("acme/inpaint")


def test_a_gated_repository_says_where_to_ask(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("acme/gated", SD, access="gated")
    assert "gated, and no Hugging Face token is set" in refused("acme/gated")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert from_hub("acme/gated", KNOWN).licence.gated


def test_a_wrong_name_is_told(server: HubServer) -> None:
    assert "the hub knows no such model" in refused("acme/nothing")


@pytest.mark.parametrize("name", ["not a name", "", "/etc/passwd", "../up"])
def test_what_is_no_name_never_reaches_the_hub(server: HubServer, name: str) -> None:
    with pytest.raises(InvalidRequest, match="is not the name of a repository"):
        from_hub(name, KNOWN)
    assert server.asked == []


def test_a_repository_that_is_no_diffusers_checkpoint_is_told(server: HubServer) -> None:
    server.add("acme/gguf", {"model.gguf": b"x"})
    server.add("acme/broken", SD | {"model_index.json": b"{"})
    server.add("acme/pickles", {path: body for path, body in SD.items() if path not in WEIGHTS} | {"unet/x.bin": b"x"})
    assert "has no model_index.json" in refused("acme/gguf")
    assert "unreadable model_index.json" in refused("acme/broken")
    assert "has no .safetensors weights" in refused("acme/pickles")


def test_a_hub_with_a_fault_is_told(server: HubServer) -> None:
    server.add("acme/sd", SD)
    server.fault("acme/sd", "", Fault(status=503))
    assert "has a fault (HTTP 503)" in refused("acme/sd")


# -- from this disk


def test_a_folder_and_a_file_are_told_apart_from_a_repository(tmp_path: Path) -> None:
    for path, content in SD.items():
        (tmp_path / "mine" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / path).write_bytes(content)
    file = write(tmp_path / "photon v1.safetensors", SD15)
    folder, single = from_anything(str(tmp_path / "mine"), KNOWN), from_anything(str(file), KNOWN)
    assert (folder.id, folder.source, folder.local) == ("mine", str(tmp_path / "mine"), tmp_path / "mine")
    assert (single.id, single.name, single.source) == ("photon-v1", "photon v1", str(file))


def test_what_is_not_a_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / "old.ckpt").write_bytes(b"\x80")
    (tmp_path / "cut.safetensors").write_bytes(b"x")
    cases = {
        "no model_index.json": lambda: from_folder(tmp_path, KNOWN),
        "There is no file": lambda: from_file(tmp_path / "gone.safetensors", KNOWN),
        "is a lora, not a checkpoint": lambda: from_file(write(tmp_path / "l.safetensors", LORA_SD15), KNOWN),
        "is a pickle": lambda: from_file(tmp_path / "old.ckpt", KNOWN),
        "not a safetensors file": lambda: from_file(tmp_path / "cut.safetensors", KNOWN),
    }
    for message, act in cases.items():
        with pytest.raises(DarkroomError, match=message):
            act()


# -- keeping


def own(**changes: Any) -> ModelRecord:
    return Registry.read().find("demo").model_copy(update={"id": "mine", "name": "Mine “1”"} | changes)


def test_an_added_record_is_read_back_just_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "data" / "models.toml"
    for record in KNOWN:
        append(path, record.model_copy(update={"id": f"own/{record.id}"}))
    found = {record.id: record for record in Registry.read(path).records}
    for record in KNOWN:
        assert found[f"own/{record.id}"].model_copy(update={"id": record.id}) == record
    assert sorted(file.name for file in path.parent.iterdir() if file.suffix != ".lock") == ["models.toml"]


def test_adding_and_removing_leaves_the_rest_of_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    append(path, own(id="first"))
    path.write_text("# my models\n\n" + path.read_text() + "# after the first\n")
    before = path.read_text()
    append(path, own(id="second"))
    append(path, own(id="third"))
    remove(path, "second")
    assert [record.id for record in Registry.read(path).records][-2:] == ["first", "third"]
    remove(path, "third")
    assert path.read_text().rstrip() == before.rstrip()


def test_an_id_is_added_once(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    append(path, own())
    before = path.read_text()
    with pytest.raises(InvalidRequest, match="mine was added already"):
        append(path, own())
    assert path.read_text() == before


@pytest.mark.parametrize("model_id", ["demo", "nothing", ""])
def test_only_added_models_can_be_removed(tmp_path: Path, model_id: str) -> None:
    path = tmp_path / "models.toml"
    append(path, own())
    before = path.read_text()
    with pytest.raises(UnknownModel, match="not among the models that were added"):
        remove(path, model_id)
    assert path.read_text() == before


def test_a_file_that_cannot_be_read_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text("[[model\n")
    with pytest.raises(BadSettings, match=r"models\.toml"):
        append(path, own())
    path.write_text("[[model]]\nid = 'half'\n")
    with pytest.raises(BadSettings, match="A record in"):
        append(path, own())
    assert path.read_text() == "[[model]]\nid = 'half'\n"
    assert not path.with_name("models.toml.new").exists()


def test_without_a_file_there_is_nothing_to_forget(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="not among the models that were added"):
        remove(tmp_path / "models.toml", "acme/none")


def test_a_licence_s_link_leads_to_a_page_and_nowhere_else() -> None:
    for link, expected in (
        ("https://acme.example/licence", "https://acme.example/licence"),
        ("javascript:alert(1)", "https://huggingface.co/acme/tiny"),
        ("LICENSE.md", "https://huggingface.co/acme/tiny"),
    ):
        info = ModelInfo(id="acme/tiny", cardData={"license_name": "acme", "license_link": link})
        assert _licence("acme/tiny", info).url == expected
