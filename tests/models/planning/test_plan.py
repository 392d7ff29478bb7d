"""The planner on machines that are handed in: every model on each, what a person who knows them would say, and that
more memory never makes it worse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.models.hardware import Hardware
from pipeline.models.planning.ladder import Case
from pipeline.models.planning.peaks import room
from pipeline.models.planning.plan import Plan, ladder, plan, plan_for
from pipeline.models.registry import ROOT, ModelRecord, Registry
from pipeline.request import GenerationRequest, parse_request
from tests.checkpoints import record_for
from tests.models.machines import machine

RECORDS = {record.id: record for record in Registry.read().records}
MACHINES: dict[str, Hardware] = {
    **{f"{size} GB": machine(size) for size in (4, 6, 8, 12, 24, 80)},
    "two of 24 GB": machine(24, 24),
    "none": machine(),
    "none, little RAM": machine(ram=8),
}
SD35 = "stabilityai/stable-diffusion-3.5-medium"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
FLUX = "black-forest-labs/FLUX.1-dev"
QWEN = "Qwen/Qwen-Image"
COGVIEW4 = "zai-org/CogView4-6B"


def asked(**fields: Any) -> GenerationRequest:
    return parse_request(**{"prompt": "a red house"} | fields)


def planned(model: str, hardware: Hardware, **fields: Any) -> Plan:
    return plan(Case.unseen(RECORDS[model], asked(**fields), hardware), tuple(RECORDS.values()))


def placement(found: Plan) -> tuple[str, str, str]:
    return found.kind, found.quantization, found.offload


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("model", RECORDS)
def test_every_model_gets_a_placement_everywhere_or_a_reason_and_what_would_fit(model: str, name: str) -> None:
    hardware = MACHINES[name]
    found = planned(model, hardware)
    assert found.sentence.startswith("Fits: about" if found.fits else "Does not fit: needs about")
    assert found.reason.startswith(RECORDS[model].name)
    assert {part.name for part in found.components} == set(RECORDS[model].components)
    assert sum(part.bytes for part in found.components) == found.weight_bytes
    if found.fits:
        assert found.nearest == ()
        assert found.needed_ram_bytes <= room(hardware.devices[-1])
        if found.kind == "cuda":
            assert found.peak_device_bytes <= room(hardware.best)
    else:
        assert found.nearest, "the demo runs on all of these machines"


@pytest.mark.parametrize("model", RECORDS)
def test_more_memory_is_never_worse(model: str) -> None:
    """On one ladder; where there is ample room, a model that is advised fewer bits has another."""

    def places(hardwares: Iterable[Hardware]) -> Iterator[list[int]]:
        by_ladder = defaultdict(list)
        for hardware in hardwares:
            rungs = ladder(Case.unseen(RECORDS[model], asked(), hardware))
            first = next((place for place, rung in enumerate(rungs) if rung.fits), len(rungs))
            by_ladder[tuple(rung.key for rung in rungs)].append(first)
        yield from by_ladder.values()

    sizes, memories = (2, 4, 6, 8, 10, 12, 16, 24, 32, 48, 80), (4, 8, 16, 32, 64, 128)
    for ram in memories:
        for found in places(machine(size, ram=ram) for size in sizes):
            assert found == sorted(found, reverse=True), f"more GPU memory, {ram} GB of RAM"
    for size in (4, 8, 24):
        for found in places(machine(size, ram=ram) for ram in memories):
            assert found == sorted(found, reverse=True), f"more RAM beside {size} GB"


@pytest.mark.parametrize(
    ("model", "gpu", "expected"),
    [
        ("demo", 4, ("cuda", "none", "none")),
        (SD15, 6, ("cuda", "none", "none")),
        (SD15, 4, ("cuda", "none", "model")),
        (SDXL, 8, ("cuda", "none", "model")),
        (SDXL, 24, ("cuda", "none", "none")),
        (SD35, 6, ("cuda", "nf4", "model")),
        (SD35, 12, ("cuda", "nf4", "none")),
        (SD35, 24, ("cuda", "nf4", "none")),
        (SD35, 48, ("cuda", "none", "none")),
        (FLUX, 8, ("cuda", "nf4", "model")),
        (FLUX, 12, ("cuda", "nf4", "model")),
        (FLUX, 24, ("cuda", "nf4", "none")),
        (FLUX, 80, ("cuda", "none", "none")),
        (COGVIEW4, 24, ("cuda", "nf4", "none")),
        (QWEN, 12, ("cuda", "none", "group")),
        (QWEN, 24, ("cuda", "nf4", "model")),
        (QWEN, 80, ("cuda", "nf4", "none")),
    ],
)
def test_models_are_placed_as_their_users_place_them(model: str, gpu: int, expected: tuple[str, str, str]) -> None:
    assert placement(planned(model, machine(gpu, ram=96))) == expected


def test_controlnets_take_room_beside_the_model() -> None:
    case = Case.unseen(RECORDS[SDXL], asked(quantization="none", offload="none"), machine(24))
    alone, beside, too_much = (plan(replace(case, beside=billions * 10**9)) for billions in (0, 2, 40))
    assert placement(beside) == placement(alone)
    assert beside.peak_device_bytes == alone.peak_device_bytes + 2 * 10**9
    assert (alone.fits, beside.fits, too_much.fits) == (True, True, False)


def test_what_else_the_gpu_does_does_not_change_the_picture() -> None:
    idle, busy = (machine(24, ram=96), machine(24, ram=96))
    gpu = busy.best.model_copy(update={"memory_free": 8 * 10**9})
    busy = Hardware(devices=(gpu, *busy.devices[1:]))
    assert planned(SD35, idle).quantization == planned(SD35, busy).quantization == "nf4"


def test_a_processor_holds_a_model_as_it_is_and_in_four_bits_only_where_memory_forces_it() -> None:
    assert placement(planned(SD35, machine(ram=32))) == ("cpu", "none", "none")
    assert placement(planned(SD35, machine(ram=16))) == ("cpu", "nf4", "none")
    assert placement(planned(FLUX, machine(ram=16))) == ("cpu", "nf4", "none")
    large = planned(FLUX, machine(ram=12))
    assert not large.fits
    assert "GB of RAM" in large.sentence
    assert large.nearest


def test_what_no_gpu_can_hold_goes_to_the_processor_and_the_line_says_that_it_is_slow() -> None:
    found = planned(COGVIEW4, machine(2, ram=32))
    assert found.kind == "cpu"
    assert found.sentence.endswith("on the processor, in four bits, slowly")


def test_apple_gpus_share_main_memory_so_nothing_moves() -> None:
    shared = machine(32, ram=32, kind="mps")
    assert placement(planned(SD35, shared)) == ("mps", "none", "none")
    assert {rung.offload for rung in ladder(Case.unseen(RECORDS[FLUX], asked(), shared))} == {"none"}


# -- several GPUs


def test_a_model_that_fits_one_of_two_gpus_is_not_spread() -> None:
    for model in (SD35, FLUX):
        assert not planned(model, machine(24, 24)).spread


def test_a_model_too_large_for_one_gpu_is_spread_over_two() -> None:
    found = planned(FLUX, machine(12, 12))
    assert (found.fits, found.spread, found.offload) == (True, True, "none")
    homes = {part.name: part.device for part in found.components}
    assert set(homes.values()) == {0, 1}
    assert homes["transformer"] != homes["text_encoder_2"]


# -- what is asked for


@pytest.mark.parametrize("offload", ["none", "model", "group", "sequential"])
def test_an_offload_that_is_asked_for_is_honoured_and_told_when_it_does_not_fit(offload: str) -> None:
    found = planned(FLUX, machine(12), offload=offload, quantization="none")
    assert placement(found) == ("cuda", "none", offload)
    assert found.fits == (offload in {"group", "sequential"})
    if not found.fits:
        assert found.nearest[0] in {"offload auto", "quantization nf4"}


def test_a_precision_that_is_asked_for_is_honoured() -> None:
    for precision in ("none", "nf4", "nf4-full", "int8"):
        found = planned(SD35, machine(24), quantization=precision)
        assert found.quantization == precision
        assert {part.precision for part in found.components if part.name == "transformer"} == {precision}
    assert planned(FLUX, machine(24), quantization="none").offload == "group"


def test_single_components_can_be_held_otherwise() -> None:
    found = planned(SD35, machine(24), quantization="none", component_quantization={"text_encoder_3": "nf4"})
    precisions = {part.name: part.precision for part in found.components}
    assert precisions["text_encoder_3"] == "nf4"
    assert precisions["transformer"] == "none"
    with pytest.raises(InvalidRequest, match="no component unet") as caught:
        planned(SD35, machine(24), component_quantization={"unet": "nf4"})
    assert caught.value.info.field == "component_quantization"


def test_what_a_device_cannot_do_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(InvalidRequest, match="Eight-bit weights do not run on Apple GPUs"):
        planned(SD35, machine(32, kind="mps"), quantization="int8")
    with pytest.raises(InvalidRequest, match="takes quantised weights apart"):
        planned(SD35, machine(24), quantization="nf4", offload="sequential")


def test_what_is_ignored_is_said() -> None:
    assert "Offload model is ignored" in planned(SD35, machine(ram=64), offload="model").warnings[0]
    assert "no component worth quantising" in planned(SD15, machine(24), quantization="nf4").warnings[0]


# -- sizes


def test_the_picture_decides_too() -> None:
    small, native, large = (planned(SDXL, machine(12), width=side, height=side) for side in (512, 1024, 1536))
    assert small.activation_bytes < native.activation_bytes
    assert (small.offload, native.offload) == ("none", "model")
    assert [found.tiled for found in (small, native, large)] == [False, False, True]
    assert "decoded in tiles" in large.sentence


def test_guidance_that_runs_as_a_batch_of_two_takes_more() -> None:
    tiled = {"offload": "group", "width": 1440, "height": 1440}
    with_it, without = (planned(SD35, machine(4), guidance_scale=scale, **tiled) for scale in (4.5, 1.0))
    assert with_it.peak_device_bytes >= without.peak_device_bytes


def test_a_smaller_size_is_offered_when_it_would_fit() -> None:
    found = planned(QWEN, machine(12, ram=24), quantization="nf4")
    assert not found.fits
    width, height = (int(side) for side in found.nearest[0].removesuffix(" pixels").split(" × "))
    assert planned(QWEN, machine(12, ram=24), quantization="nf4", width=width, height=height).fits


def test_four_bits_take_a_third_of_sixteen_and_full_four_bits_less() -> None:
    sizes = {
        precision: {part.name: part.bytes for part in planned(FLUX, machine(80), quantization=precision).components}
        for precision in ("none", "nf4", "nf4-full", "int8")
    }
    gib = 2**30
    assert sizes["none"]["transformer"] / gib == pytest.approx(22.17, abs=0.02)
    assert sizes["nf4"]["transformer"] < sizes["none"]["transformer"] * 0.27
    assert sizes["nf4"]["text_encoder_2"] / gib == pytest.approx(3.9, abs=0.1)
    assert sizes["nf4-full"]["text_encoder_2"] / gib == pytest.approx(2.5, abs=0.1)
    assert sizes["int8"]["transformer"] == pytest.approx(sizes["none"]["transformer"] / 2, rel=0.01)


def test_buffers_count_but_are_not_quantised() -> None:
    whole, small = (
        next(
            part for part in planned(SD35, machine(80), quantization=precision).components if part.name == "transformer"
        )
        for precision in ("none", "nf4")
    )
    assert whole.bytes == 2 * (2_243_171_520 + 226_492_416)
    assert small.bytes > 2 * 226_492_416


def test_a_processor_computes_float32_in_place_of_float16() -> None:
    found = planned(SD15, machine(ram=64))
    assert found.dtype == "float32"
    assert found.weight_bytes == pytest.approx(2 * planned(SD15, machine(24)).weight_bytes, rel=0.01)


def test_a_gpu_without_bfloat16_gets_float16() -> None:
    found = plan(Case.unseen(RECORDS[SD35], asked(), machine(24, bfloat16=False)))
    assert found.dtype == "float16"
    assert "does not compute in bfloat16" in found.reason


# -- this disk


def test_the_line_for_the_sidebar_names_need_memory_and_how() -> None:
    found = planned(SD35, machine(8))
    assert found.sentence == "Fits: about 4.8 of 8.6 GB, text encoders move to RAM after encoding, in four bits"


def test_weights_on_this_disk_are_counted_in_their_files(tiny_checkpoint: Path) -> None:
    record = record_for(tiny_checkpoint)
    found = plan_for(record, asked(), machine())
    files = sum(file.stat().st_size for file in tiny_checkpoint.rglob("*.safetensors"))
    assert found.exact
    assert found.download_bytes == 0
    assert found.weight_bytes == pytest.approx(files, rel=0.02)


def test_what_is_not_here_is_to_be_downloaded() -> None:
    found = plan_for(RECORDS[FLUX], asked(), machine(24))
    assert not found.exact
    assert found.download_bytes == pytest.approx(33.7e9, rel=0.02)
    assert found.disk_free_bytes > 0
    assert found.gated


def test_a_model_of_unknown_size_says_so() -> None:
    unknown = ModelRecord.model_validate(RECORDS[SDXL].model_dump() | {"source": "acme/unknown", "components": {}})
    found = plan(Case.unseen(unknown, asked(), machine(24)))
    assert "not known before it is downloaded" in found.sentence


def test_the_readme_tells_what_becomes_of_the_default_model() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for gpus, precision, offload, shown in (
        ((6, 8, 10), "nf4", "model", "| 6 to 10 GB |"),
        ((12, 16, 24), "nf4", "none", "| 12 to 24 GB |"),
        ((48, 80), "none", "none", "| 48 GB and more |"),
    ):
        [row] = [line for line in readme.splitlines() if line.startswith(shown)]
        for gpu in gpus:
            found = planned(SD35, machine(gpu, ram=32))
            assert placement(found) == ("cuda", precision, offload)
            assert f"| {found.peak_device_bytes / 1e9:.1f} GB |" in row
