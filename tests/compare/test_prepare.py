"""The order in which a comparison's pictures are queued."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.compare.prepare import in_thrifty_order
from tests.compare.conftest import compared


def order(columns: dict[str, list[Any]], rows: dict[str, list[Any]]) -> list[tuple[str | None, str]]:
    """Model and precision of each picture in the order in which they are queued."""
    requests = [cell.request for cell in compared(columns, rows).cells()]
    return [(request.model, request.quantization) for _, request in in_thrifty_order(list(enumerate(requests)))]


@pytest.mark.parametrize("turned", [False, True])
def test_each_model_is_loaded_once_in_each_precision(turned: bool) -> None:
    models, precisions = {"model": ["a", "b"]}, {"quantization": ["none", "nf4"]}
    found = order(precisions, models) if turned else order(models, precisions)
    assert found == [("a", "none"), ("a", "nf4"), ("b", "none"), ("b", "nf4")]


def test_pictures_of_one_model_keep_the_order_of_the_sheet() -> None:
    requests = [cell.request for cell in compared({"model": ["a", "b"]}, {"seed": [3, 1, 2]}).cells()]
    places = [place for place, _ in in_thrifty_order(list(enumerate(requests)))]
    assert places == [0, 2, 4, 1, 3, 5]


def test_without_models_or_precisions_nothing_changes_places() -> None:
    requests = [cell.request for cell in compared({"guidance_scale": [3, 1]}, {"seed": [9, 8]}).cells()]
    assert [place for place, _ in in_thrifty_order(list(enumerate(requests)))] == [0, 1, 2, 3]
