"""Chains that are kept: on a real disk, and told from the recipe of what one of them made."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.chains import Chains, chain_of
from pipeline.errors import InvalidRequest, NotFound, OutputUnwritable
from pipeline.gallery.lineage import descended
from pipeline.request import parse_request
from tests.gallery.pictures import make_recipe

PICTURE = "a" * 64 + "-64x64"
REQUEST = parse_request(
    prompt="a red house",
    model="fast",
    seed=7,
    num_images=3,
    num_inference_steps=4,
    image=PICTURE,
    strength=0.5,
    then=[{"model": "fine", "strength": 0.4}],
)


@pytest.fixture
def chains(tmp_path: Path) -> Chains:
    return Chains(tmp_path / "chains")


def test_a_chain_is_kept_without_what_is_of_one_time_only(chains: Chains) -> None:
    chains.keep("Draft and finish", REQUEST)
    kept = chains.find("draft and FINISH")
    assert kept.name == "Draft and finish"
    assert (kept.request.seed, kept.request.num_images, kept.request.image) == (-1, 1, None)
    assert (kept.request.num_inference_steps, kept.request.then) == (4, REQUEST.then)
    begun = kept.begun_with(prompt="a blue house", seed=5)
    assert (begun.prompt, begun.seed, begun.model) == ("a blue house", 5, "fast")


def test_chains_are_listed_by_name_replaced_and_forgotten(chains: Chains) -> None:
    for name in ("two", "One"):
        chains.keep(name, REQUEST)
    chains.keep("TWO", REQUEST.model_copy(update={"prompt": "another"}))
    assert [(one.name, one.request.prompt) for one in chains.all()] == [("One", "a red house"), ("TWO", "another")]
    chains.remove("one")
    with pytest.raises(NotFound, match="Kept: TWO"):
        chains.find("one")


@pytest.mark.parametrize("name", ["", "  ", "../out", "a/b", ".hidden", "x" * 61])
def test_a_name_leads_nowhere_else(chains: Chains, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot name a chain"):
        chains.keep(name, REQUEST)
    assert list(tmp_path.rglob("*.json")) == []


def test_what_is_no_chain_or_cannot_be_written_says_so(chains: Chains, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="Add a stage first"):
        chains.keep("one", REQUEST.model_copy(update={"then": ()}))
    (tmp_path / "chains").write_text("a file stands in the way")
    with pytest.raises(OutputUnwritable, match="cannot be kept"):
        chains.keep("one", REQUEST)


def test_a_file_that_cannot_be_read_is_left_out_and_told(
    chains: Chains, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chains.keep("good", REQUEST)
    (tmp_path / "chains" / "bad.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert [one.name for one in chains.all()] == ["good"]
    assert "bad.json" in caplog.text


def test_a_picture_tells_the_chain_that_made_it() -> None:
    size = {"width": 64, "height": 64}
    first = make_recipe(model="fast", prompt="a red house", seed=7, **size)
    later = make_recipe(model="fine", prompt="a blue house", image=first.pixels, strength=0.4, **size)
    second = descended(later, first)
    request = chain_of(second)
    assert (request.model, request.prompt, request.seed) == ("fast", "a red house", 7)
    [stage] = request.then
    assert (stage.model, stage.prompt, stage.strength) == ("fine", "a blue house", 0.4)
    assert (stage.width, stage.num_inference_steps) == (second.width, second.num_inference_steps)


def test_what_no_other_picture_can_follow_is_no_chain() -> None:
    first = make_recipe()
    painted = make_recipe(image=first.pixels, mask=first.pixels, strength=0.4)
    for recipe, sentence in ((first, "was not made of another"), (descended(painted, first), "painted over")):
        with pytest.raises(InvalidRequest, match=sentence):
            chain_of(recipe)
