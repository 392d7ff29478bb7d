"""Where pictures come from, by the hashes of their pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import NotFound
from pipeline.gallery import Gallery, read_recipe
from pipeline.gallery.lineage import DEPTH, ancestors, descended, to_make
from pipeline.recipe import HostedUse, Recipe
from tests.gallery.pictures import at, make_recipe, open_gallery


def family(gallery: Gallery) -> tuple[str, str, str]:
    """A picture, one that was made from it, and one that was made from that."""
    first = gallery.save(at(0, seed=1, prompt="the first"), "job-1")
    second = gallery.save(at(1, seed=2, prompt="the second", image=first.recipe.pixels), "job-2")
    third = gallery.save(at(2, seed=3, prompt="the third", image=second.recipe.pixels), "job-3")
    return first.id, second.id, third.id


def test_a_picture_knows_what_it_was_made_from_and_what_was_made_of_it(gallery: Gallery) -> None:
    first, second, third = map(gallery.find, family(gallery))
    assert (gallery.parent(first), gallery.parent(second), gallery.parent(third)) == (None, first, second)
    assert [gallery.ancestors(one) for one in (first, second, third)] == [[], [first], [first, second]]
    assert [gallery.children(one) for one in (first, second, third)] == [[second], [third], []]


def test_the_last_file_of_a_chain_holds_every_recipe(gallery: Gallery) -> None:
    *_, third = family(gallery)
    recipe = read_recipe(gallery.png(third))
    assert recipe is not None
    assert [one.prompt for one in ancestors(recipe)] == ["the second", "the first"]


def test_the_family_survives_a_lost_index_and_files_that_are_moved(gallery: Gallery, outputs: Path) -> None:
    first, second, _ = map(gallery.find, family(gallery))
    gallery.close()
    (outputs / ".darkroom" / "studio.db").unlink()
    assert first.path is not None
    first.path.rename(first.path.with_name("moved.png"))
    again = open_gallery(outputs)
    parent = again.parent(again.find(second.id))
    assert parent is not None
    assert (parent.id, parent.path) == (first.id, first.path.with_name("moved.png"))
    again.close()


def test_a_deleted_parent_is_still_known_and_a_deleted_child_is_not_shown(gallery: Gallery) -> None:
    first, second, third = family(gallery)
    gallery.delete([first, third])
    parent = gallery.parent(gallery.find(second))
    assert parent is not None
    assert parent.deleted
    assert gallery.children(gallery.find(second)) == []


def test_of_pictures_with_the_same_pixels_the_oldest_is_the_parent(gallery: Gallery) -> None:
    older = gallery.save(at(0, seed=1), "job-1")
    gallery.save(at(1, seed=1), "job-2")
    child = gallery.save(at(2, seed=2, image=older.recipe.pixels), "job-3")
    assert gallery.parent(child) == gallery.find(older.id)


def test_a_picture_from_outside_has_no_parent(gallery: Gallery) -> None:
    child = gallery.save(at(0, image="a" * 64 + "-16x8"), "job-1")
    assert gallery.parent(child) is None
    assert child.recipe.origin is None


def test_a_recipe_does_not_grow_for_ever() -> None:
    recipe = make_recipe(prompt="0")
    for number in range(1, DEPTH + 4):
        recipe = descended(make_recipe(prompt=str(number)), recipe)
    assert [one.prompt for one in ancestors(recipe)] == [str(number) for number in range(DEPTH + 2, 2, -1)]


def test_the_family_is_found_without_reading_every_row(gallery: Gallery) -> None:
    asked: list[str] = []
    gallery._index._connection.set_trace_callback(asked.append)
    gallery._index.with_pixels("x")
    gallery._index.made_from("x")
    gallery._index._connection.set_trace_callback(None)
    plans = [gallery._index._execute(f"EXPLAIN QUERY PLAN {sql}")[0][-1] for sql in asked]
    assert ["images_by_pixels" in plans[0], "images_by_parent" in plans[1]] == [True, True]


def chain() -> list[Recipe]:
    """A first recipe, one that was made from it behind a mask, and one that was made from that."""
    first = make_recipe(prompt="the first")
    mask = "c" * 64 + "-16x8"
    second = descended(make_recipe(b"2" * 384, prompt="the second", image=first.pixels, mask=mask), first)
    return [first, second, descended(make_recipe(b"3" * 384, prompt="the third", image=second.pixels), second)]


def test_only_what_is_not_kept_is_made_again_and_in_order() -> None:
    first, second, third = chain()
    kept = {second.mask, second.pixels}
    assert to_make(third, kept.__contains__) == (third,)
    assert to_make(third, {second.mask, first.pixels}.__contains__) == (second, third)
    assert to_make(third, {second.mask}.__contains__) == (first, second, third)


def test_what_cannot_be_made_again_is_told_before_any_work() -> None:
    _, _, third = chain()
    with pytest.raises(NotFound, match="The mask of a picture of this chain"):
        to_make(third, set[str]().__contains__)
    stranger = make_recipe(image="d" * 64 + "-16x8")
    with pytest.raises(NotFound, match="nothing tells how it was made"):
        to_make(stranger, set[str]().__contains__)


def test_a_picture_that_a_provider_made_is_not_ordered_again_for_one_that_was_made_from_it() -> None:
    first, second, _ = chain()
    used = HostedUse(provider="The Mill", host="mill.invalid", model="wheel-1")
    edited = descended(second, first.model_copy(update={"hosted": used}))
    assert to_make(edited, {edited.mask, first.pixels}.__contains__) == (edited,), "it is kept"
    with pytest.raises(NotFound, match="The Mill made it: it is not ordered again unasked"):
        to_make(edited, {edited.mask}.__contains__)
