"""What can be compared, and what each picture is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.compare.grid import MAX_CELLS, Axis, Comparison, parse_comparison
from pipeline.errors import InvalidRequest
from tests.compare.conftest import compared


def refusal(data: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_comparison(data)
    return caught.value


def axis(field: str, *values: Any) -> dict[str, Any]:
    return {"field": field, "values": list(values)}


def test_two_settings_make_a_sheet_row_by_row() -> None:
    comparison = compared({"guidance_scale": [1, 4.5]}, {"num_inference_steps": [3, 5, 8]}, seed=7)
    cells = comparison.cells()
    assert comparison.shape == (2, 3)
    assert [(cell.column, cell.row) for cell in cells] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    assert [cell.request.guidance_scale for cell in cells[:2]] == [1, 4.5]
    assert [cell.request.num_inference_steps for cell in cells[::2]] == [3, 5, 8]
    assert {cell.request.seed for cell in cells} == {7}


def test_every_cell_is_one_picture_of_what_is_the_same_for_all() -> None:
    comparison = compared({"seed": [1, 2]}, num_images=4, negative_prompt="rain", width=128)
    for cell in comparison.cells():
        request = cell.request
        assert (request.num_images, request.negative_prompt, request.width) == (1, "rain", 128)


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ("num_inference_steps", ["28", 4, 12.0], (28, 4, 12)),
        ("guidance_scale", ["2.5", 4], (2.5, 4.0)),
        ("seed", ["4294967295", " 7 "], (4294967295, 7)),
        ("quantization", ["None", "NF4", "NF4 full", "INT8", "auto"], ("none", "nf4", "nf4-full", "int8", "auto")),
        ("scheduler", ["DDIM", "EulerDiscreteScheduler"], ("DDIMScheduler", "EulerDiscreteScheduler")),
        ("variation_strength", ["0.1", 1], (0.1, 1.0)),
    ],
)
def test_values_are_read_as_the_request_reads_them(field: str, given: list[Any], read: tuple[Any, ...]) -> None:
    assert parse_comparison({"base": {"prompt": "a"}, "columns": axis(field, *given)}).columns.values == read


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_inference_steps", 0, "Steps cannot be 0."),
        ("num_inference_steps", "many", "Steps cannot be 'many'."),
        ("num_inference_steps", 2.5, "Steps cannot be 2.5."),
        ("guidance_scale", "inf", "Guidance cannot be 'inf'."),
        ("seed", 2**32, "Seed cannot be 4294967296."),
        ("quantization", "q8", "Quantisation cannot be 'q8'."),
        ("variation_strength", 1.1, "Variation cannot be 1.1."),
    ],
)
def test_a_value_that_its_setting_cannot_have_is_refused_by_the_name_that_people_know(
    field: str, value: object, message: str
) -> None:
    info = refusal({"base": {"prompt": "a"}, "columns": axis(field, value)}).info
    assert (info.message, info.field) == (message, field)
    assert info.remedy


@pytest.mark.parametrize(
    ("field", "values", "labels"),
    [
        ("num_inference_steps", [4, 28], ["4", "28"]),
        ("guidance_scale", [0, 4.5, 10], ["0", "4.5", "10"]),
        ("quantization", ["none", "int8", "nf4", "nf4-full"], ["none", "int8", "NF4", "NF4 full"]),
        ("scheduler", ["DDIMScheduler", "EulerDiscrete"], ["DDIM", "EulerDiscrete"]),
        ("model", ["stabilityai/sdxl-turbo", "demo"], ["sdxl-turbo", "demo"]),
        ("model", ["ann/turtle", "ben/turtle", "ben/hare"], ["ann/turtle", "ben/turtle", "hare"]),
        ("prompt", ["fog", "thick snow", ""], ["fog", "thick snow", "without"]),
    ],
)
def test_headings_are_short(field: Any, values: list[Any], labels: list[str]) -> None:
    found = Axis(field=field, values=tuple(values))
    assert [found.label(place) for place in range(len(values))] == labels


def test_a_cell_is_named_by_its_headings() -> None:
    comparison = compared({"guidance_scale": [1, 4.5]}, {"quantization": ["none", "nf4"]})
    assert comparison.title(1, 1) == "Guidance 4.5, Quantisation NF4"
    assert compared({"num_inference_steps": [0 + 1, 2]}).title(1, 0) == "Steps 2"


def test_prompt_words_take_the_place_of_the_first_in_prompt_and_negative_prompt() -> None:
    comparison = compared(
        {"prompt": ["cat", "dog", ""]}, prompt="a cat beside another cat", negative_prompt="a wet cat"
    )
    requests = [cell.request for cell in comparison.cells()]
    assert [request.prompt for request in requests] == [
        "a cat beside another cat",
        "a dog beside another dog",
        "a  beside another",
    ]
    assert requests[1].negative_prompt == "a wet dog"


def test_words_that_are_only_in_the_negative_prompt_can_be_compared() -> None:
    comparison = compared({"prompt": ["rain", "snow"]}, negative_prompt="rain")
    assert [cell.request.negative_prompt for cell in comparison.cells()] == ["rain", "snow"]


def test_two_words_of_the_prompt_make_a_sheet_and_neither_changes_what_the_other_has_put_there() -> None:
    comparison = compared({"prompt": ["cat", "fog"]}, {"prompt": ["fog", "rain"]})
    assert [cell.request.prompt for cell in comparison.cells()] == [
        "a cat in fog",
        "a fog in fog",
        "a cat in rain",
        "a fog in rain",
    ]


def test_words_may_contain_what_is_special_elsewhere() -> None:
    comparison = compared({"prompt": ["(cat:1.2)", "a\\1 [dog]", ".*"]}, prompt="a (cat:1.2) in fog")
    assert [cell.request.prompt for cell in comparison.cells()] == [
        "a (cat:1.2) in fog",
        "a a\\1 [dog] in fog",
        "a .* in fog",
    ]


def test_words_that_make_the_prompt_empty_are_refused_with_the_name_of_the_cell() -> None:
    with pytest.raises(InvalidRequest, match="“Prompt words without”: The prompt is empty") as caught:
        compared({"prompt": ["fog", ""]}, prompt="fog").cells()
    assert caught.value.info.field == "prompt"


def test_models_keep_their_own_defaults_where_nothing_is_said() -> None:
    comparison = parse_comparison(
        {"base": {"prompt": "a", "guidance_scale": 3}, "columns": axis("model", "one", "two")}
    )
    for cell, model in zip(comparison.cells(), ("one", "two"), strict=True):
        request = cell.request
        assert (request.model, request.num_inference_steps, request.width) == (model, None, None)
        assert request.guidance_scale == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": axis("seed", 1, 2), "rows": axis("seed", 3)}, "Columns and rows both go through Seed."),
        ({"columns": axis("prompt", "cat"), "rows": axis("prompt", "cat", "dog")}, "both go through Prompt words"),
        ({"columns": axis("seed", 1, 2, "1")}, "Seed 1 is there twice."),
        ({"columns": axis("quantization", "nf4", "NF4")}, "Quantisation NF4 is there twice."),
        ({"columns": axis("prompt", "dog", "fog")}, "“dog” is not in the prompt."),
        ({"columns": axis("prompt", " ", "fog")}, "The first of the prompt words is empty."),
        ({"columns": axis("seed")}, "There is nothing to compare."),
        ({}, "The comparison has no columns."),
        ({"columns": axis("width", 64)}, "columns.field cannot be 'width'."),
        ({"columns": {"field": "seed"}}, "The comparison has no columns.values."),
        ({"columns": axis("seed", 1), "format": 2}, "format cannot be 2."),
        ({"columns": axis("seed", 1), "base": {"prompt": " "}}, "The prompt is empty."),
        ({"columns": axis("seed", 1), "base": {"prompt": "a", "stepz": 3}}, "stepz is not a setting."),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(changes: dict[str, Any], message: str) -> None:
    info = refusal({"base": {"prompt": "a cat in fog"}} | changes).info
    assert message in info.message
    assert info.remedy
    assert info.field


@pytest.mark.parametrize("data", [None, [], "comparison", 7])
def test_what_is_no_object_at_all_is_refused(data: object) -> None:
    assert refusal(data).info.message.startswith("comparison cannot be")


def test_a_sheet_is_bounded() -> None:
    assert len(compared({"seed": list(range(8))}, {"guidance_scale": list(range(8))}).cells()) == MAX_CELLS
    with pytest.raises(InvalidRequest, match="9 × 8 are 72 pictures, and a comparison has at most 64"):
        compared({"seed": list(range(9))}, {"guidance_scale": list(range(8))})


def test_a_comparison_survives_json() -> None:
    comparison = compared({"prompt": ["cat", "dog"]}, {"guidance_scale": [1, 4.5]}, seed=3)
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison
