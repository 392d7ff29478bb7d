"""ControlNets as data: the records hold together, and what a model cannot follow is refused at the door."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidRequest, ModelUnavailable, NotFound
from pipeline.models.controlnets import FAMILIES, ControlNets, net_in, why_no_controls
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import GenerationRequest, parse_request
from tests.models.weight_files import write

NETS = ControlNets.read()
REGISTRY = Registry.read()
SD15, SD35 = "stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-3.5-medium"
SD3 = "stabilityai/stable-diffusion-3-medium-diffusers"
MAP = f"{'0' * 64}-256x256"


def wish(*nets: str, **settings: Any) -> GenerationRequest:
    controls = [{"net": net, "image": MAP, **settings} for net in nets]
    return parse_request(prompt="a house", controls=controls)


def refusal(model: str | ModelRecord, request: GenerationRequest, nets: ControlNets = NETS) -> str:
    record = REGISTRY.find(model) if isinstance(model, str) else model
    with pytest.raises(InvalidRequest) as caught:
        nets.check(record, request)
    assert caught.value.info.field == "controls"
    assert caught.value.info.remedy
    return caught.value.info.message


def own(root: Path, name: str, **config: Any) -> None:
    """A net in a folder of the weights folder, with one tensor."""
    folder = root / "controlnet" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    write(folder / "diffusion_pytorch_model.safetensors", {"conv_in.weight": (4, 4)})


def test_no_net_is_listed_twice() -> None:
    assert len({net.id.lower() for net in NETS.records}) == len(NETS.records)
    assert len({net.source for net in NETS.records}) == len(NETS.records)


@pytest.mark.parametrize("net", NETS.records, ids=lambda net: net.id)
def test_every_net_names_its_maps_its_licence_and_models_that_there_are(net: Any) -> None:
    assert net.maps
    assert net.licence
    assert net.evidence
    assert net.family in FAMILIES
    assert all(REGISTRY.find(name).family == net.family for name in net.models)
    assert any(net in NETS.fitting(record) for record in REGISTRY.records)


def test_every_model_with_a_pipeline_for_maps_is_of_a_family_that_takes_nets_with_that_pipeline() -> None:
    named = {record.family: record.pipelines["control"] for record in REGISTRY.records if "control" in record.pipelines}
    assert named == {name: family.pipelines["text"] for name, family in FAMILIES.items()}


def test_a_net_for_one_model_is_not_offered_for_another_of_its_family() -> None:
    assert [net.id for net in NETS.fitting(REGISTRY.find("demo"))] == ["demo-canny"]
    assert NETS.fitting(REGISTRY.find(SD35)) == []
    assert "InstantX/SD3-Controlnet-Canny" in [net.id for net in NETS.fitting(REGISTRY.find(SD3))]


def test_a_net_is_found_by_its_id_in_any_case() -> None:
    assert NETS.find("DEMO-Canny").id == "demo-canny"
    with pytest.raises(NotFound, match="no ControlNet named “canny”") as caught:
        NETS.find("canny")
    assert "demo-canny" in caught.value.info.remedy


def test_the_shipped_net_is_here_and_passes_the_door() -> None:
    assert net_in(NETS.find("demo-canny")).config["_class_name"] == "SD3ControlNetModel"
    NETS.check(REGISTRY.find("demo"), wish("demo-canny", scale=0.5, start=0.2, end=0.8))


def test_a_request_without_maps_passes_for_every_model() -> None:
    for record in REGISTRY.records:
        NETS.check(record, wish())


def test_a_family_without_nets_and_a_task_without_a_pipeline_say_so() -> None:
    assert refusal("cascade", wish("demo-canny")) == (
        "Stable Cascade cannot follow a map: diffusers has no ControlNet pipeline for its family."
    )
    assert "from words alone" in why_no_controls(REGISTRY.find("demo"), "image")
    assert why_no_controls(REGISTRY.find(SD15), "inpaint") == ""


def test_a_net_for_another_family_or_model_is_refused_by_its_record() -> None:
    assert refusal(SD15, wish("demo-canny")) == "“demo-canny” is for sd3, and Stable Diffusion 1.5 is sd15."
    assert refusal(SD35, wish("InstantX/SD3-Controlnet-Canny")) == (
        f"“InstantX/SD3-Controlnet-Canny” was made for {SD3}, and not for Stable Diffusion 3.5 Medium."
    )


def test_two_maps_are_refused_where_one_is_possible() -> None:
    net = "InstantX/Qwen-Image-ControlNet-Union"
    assert refusal("Qwen/Qwen-Image", wish(net, net)) == "Qwen-Image follows one map at a time."


def test_a_beginning_is_refused_where_there_is_none() -> None:
    net = "Tencent-Hunyuan/HunyuanDiT-v1.2-ControlNet-Diffusers-Canny"
    assert "in all its steps or not at all" in refusal("hunyuan", wish(net, end=0.5))


def test_a_net_that_is_not_here_says_how_to_fetch_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnavailable) as caught:
        NETS.check(REGISTRY.find(SD15), wish("lllyasviel/control_v11p_sd15_canny"))
    fetched = "lllyasviel/control_v11p_sd15_canny config.json diffusion_pytorch_model.fp16.safetensors"
    assert f"`hf download {fetched}`" in caught.value.info.remedy


def test_own_nets_are_listed_with_the_family_that_their_files_tell(tmp_path: Path) -> None:
    own(tmp_path, "lines", _class_name="ControlNetModel", cross_attention_dim=768)
    own(tmp_path, "deep/near", _class_name="ControlNetModel", cross_attention_dim=2048)
    own(tmp_path, "odd", _class_name="ControlNetModel", cross_attention_dim=32)
    own(tmp_path, "other", _class_name="UNet2DConditionModel")
    (tmp_path / "controlnet" / "empty").mkdir()
    found = {net.id: net.family for net in ControlNets.read(tmp_path).records if net not in NETS.records}
    assert found == {"lines": "sd15", "deep/near": "sdxl", "odd": ""}


def test_a_net_whose_family_cannot_be_told_is_offered_wherever_nets_are_taken(tmp_path: Path) -> None:
    own(tmp_path, "odd", _class_name="ControlNetModel", cross_attention_dim=32)
    nets = ControlNets.read(tmp_path)
    assert "odd" in [net.id for net in nets.fitting(REGISTRY.find(SD15))]
    assert [net.id for net in nets.fitting(REGISTRY.find("cascade"))] == []


def test_the_memory_of_a_net_is_what_its_files_take_or_what_would_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    own(tmp_path, "lines", _class_name="ControlNetModel", cross_attention_dim=768)
    file = tmp_path / "controlnet" / "lines" / "diffusion_pytorch_model.safetensors"
    request = wish("lines", "lllyasviel/control_v11p_sd15_canny")
    assert ControlNets.read(tmp_path).bytes(request) == file.stat().st_size + 723_000_000


def test_the_list_of_nets_is_read_without_torch() -> None:
    code = "import sys, pipeline.models.controlnets as nets; nets.ControlNets.read(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
