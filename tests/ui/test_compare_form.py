"""The values that people type, and the comparison that the form stands for; no browser."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.compare.grid import Axis, AxisField, Comparison
from pipeline.errors import InvalidRequest
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import GenerationRequest
from ui.parts.compare import form, values


@pytest.fixture(scope="module")
def demo() -> ModelRecord:
    return Registry.read().find("demo")


def filled_in(record: ModelRecord, **changes: Any) -> dict[str, Any]:
    return form.blank(record, [record.id]) | {f"compare_{name}": value for name, value in changes.items()}


@pytest.mark.parametrize(
    ("field", "typed", "meant"),
    [
        ("num_inference_steps", "4, 8, 16", (4, 8, 16)),
        ("num_inference_steps", "4-7", (4, 5, 6, 7)),
        ("num_inference_steps", "4-40 (+8)", (4, 12, 20, 28, 36)),
        ("num_inference_steps", "10-4 (-3)", (10, 7, 4)),
        ("num_inference_steps", "4-40 [5]", (4, 13, 22, 31, 40)),
        ("num_inference_steps", "4..40/5 steps", (4, 13, 22, 31, 40)),
        ("seed", "1-3, 9", (1, 2, 3, 9)),
        ("guidance_scale", "1-2 (+0.25)", (1.0, 1.25, 1.5, 1.75, 2.0)),
        ("variation_strength", "0..1/3", (0.0, 0.5, 1.0)),
        ("prompt", 'red, "dark, blue", ""', ("red", "dark, blue", "")),
    ],
)
def test_lists_ranges_and_words_are_read_as_people_know_them(
    field: AxisField, typed: str, meant: tuple[values.Value, ...]
) -> None:
    assert values.parse(field, typed) == meant
    assert values.parse(field, values.written(field, meant)) == meant


@pytest.mark.parametrize("typed", ["four", "4;8", "1.5", "1-1000", "4-8 (+0)", "", "4, -8"])
def test_what_cannot_be_read_is_refused_with_its_field(typed: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        values.parse("num_inference_steps", typed)
    assert refusal.value.info.field == "num_inference_steps"
    assert refusal.value.info.remedy


def test_every_setting_has_values_to_begin_with_that_can_be_compared(demo: ModelRecord) -> None:
    begun = filled_in(demo, way="grid", prompt="a red house")
    for field in form.AXES:
        change = {form.values_key("columns", "prompt"): "red, blue"}
        comparison = form.to_comparison(begun | change | {"compare_columns": field, "compare_rows": ""})
        assert comparison.columns.field == field


def test_an_empty_field_leaves_it_to_the_model(demo: ModelRecord) -> None:
    base = form.to_comparison(filled_in(demo, way="lab")).base
    assert (base.num_inference_steps, base.guidance_scale, base.width, base.seed) == (None, None, None, -1)
    assert base.model == "demo"


def test_what_is_wrong_with_an_axis_is_told_at_that_axis(demo: ModelRecord) -> None:
    begun = filled_in(demo, way="grid", rows="guidance_scale", rows_guidance_scale="1, many")
    with pytest.raises(InvalidRequest, match="many") as refusal:
        form.to_comparison(begun)
    assert refusal.value.info.field == form.values_key("rows", "guidance_scale")


def test_nothing_is_wrong_yet_with_a_form_that_has_no_prompt(demo: ModelRecord) -> None:
    begun = filled_in(demo, way="grid", prompt="", columns="prompt", columns_prompt="red, blue")
    assert form.without_prompt(begun).shape == (2, 3)
    with pytest.raises(InvalidRequest):
        form.to_comparison(begun)


def test_a_comparison_comes_back_from_the_form_as_it_was(demo: ModelRecord) -> None:
    comparison = Comparison(
        base=GenerationRequest(prompt="a red house", model="demo", seed=7, negative_prompt="fog", vae="soft"),
        columns=Axis(field="prompt", values=("red", "blue, dark")),
        rows=Axis(field="guidance_scale", values=(1.0, 3.5)),
    )
    again = form.blank(demo, ["demo"]) | form.filled(comparison, demo)
    assert form.to_comparison(again) == comparison
    assert again["compare_kept"] == {"vae": "soft"}


def test_only_sizes_that_every_model_makes_are_offered(demo: ModelRecord) -> None:
    large = Registry.read().find("stabilityai/stable-diffusion-3.5-medium")
    assert list(form.sizes([demo, large], 4_000_000)) == [form.OWN, (256, 256)]
    assert (1024, 1024) in form.sizes([large], 4_000_000)


def test_a_model_that_is_called_otherwise_since_it_is_here_is_still_chosen(demo: ModelRecord) -> None:
    large = Registry.read().find("stabilityai/stable-diffusion-3.5-medium")
    begun = filled_in(demo, model=f"{large.name} · ↓ 16.3 GB", columns_model=["demo", "forgotten"], size="Square")
    changes = form.mended(begun, [demo, large], demo)
    assert changes["compare_model"] == large.id
    assert changes["compare_columns_model"] == ["demo"]
    assert changes["compare_size"] == form.OWN
