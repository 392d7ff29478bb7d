"""Pictures verified and made again by a real worker: what is the same, what is near, what cannot be."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.events import SavedImage
from pipeline.gallery import formats
from pipeline.gallery.metadata import RECIPE_KEY
from pipeline.jobs.job import Job
from pipeline.recipe import Recipe
from pipeline.studio import Studio
from tests.conftest import tiny_settings
from tests.rerun.conftest import FEW


def with_recipe(image: SavedImage, pixels: Image.Image | None = None, /, **changes: Any) -> bytes:
    """The picture's file as somebody might have changed it."""
    kept, buffer = PngInfo(), io.BytesIO()
    recipe: Recipe = image.recipe.model_copy(update=changes)
    kept.add_itxt(RECIPE_KEY, recipe.model_dump_json())
    (pixels or image.open()).save(buffer, "PNG", pnginfo=kept)
    return buffer.getvalue()


def shown(studio: Studio) -> set[str]:
    return {one.id for one in studio.gallery.recent(100)}


def test_the_same_machine_makes_the_same_picture_and_keeps_no_copy(studio: Studio, image: SavedImage) -> None:
    before, jobs = shown(studio), list[Job]()
    found = studio.rerun(image, watch=jobs.append)
    assert (found.file.state, found.state, found.changes) == ("intact", "identical", ())
    assert found.confirmed
    assert [job.id for job in jobs] == [found.job]
    assert shown(studio) == before
    assert image.path is not None
    assert studio.rerun(image.path).confirmed


def test_one_changed_pixel_is_altered_although_the_recipe_still_makes_the_picture(
    studio: Studio, image: SavedImage
) -> None:
    pixels = image.open()
    red, green, blue = pixels.getpixel((3, 2))  # type: ignore[misc]
    pixels.putpixel((3, 2), (red, green, blue ^ 1))
    found = studio.rerun(with_recipe(image, pixels))
    assert (found.file.state, found.state, found.confirmed) == ("altered", "identical", False)


def test_a_copy_in_a_lossy_format_is_made_again_from_what_it_carries(studio: Studio, image: SavedImage) -> None:
    found = studio.rerun(formats.export(studio.gallery.png(image.id), "webp"))
    assert (found.file.state, found.state) == ("unknown", "identical")


def test_other_versions_are_told_and_a_recipe_for_another_picture_is_different(
    studio: Studio, image: SavedImage
) -> None:
    versions = image.recipe.versions | {"torch": "1.0"}
    found = studio.rerun(with_recipe(image, seed=4, versions=versions))
    assert (found.file.state, found.state) == ("intact", "different")
    assert found.changes == (f"torch was 1.0 and is {image.recipe.versions['torch']} now.",)
    assert found.difference is not None
    assert found.again is not None
    assert found.again.id in shown(studio)


def test_another_precision_comes_near_or_not_and_says_that_it_is_another(studio: Studio, image: SavedImage) -> None:
    [int8] = studio.generate("a red house", **FEW, quantization="int8")
    found = studio.rerun(with_recipe(int8, quantization="none", component_quantization={}))
    assert found.state in {"near", "different"}
    assert found.difference is not None
    assert any("was held in" in change for change in found.changes), found.changes


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": "acme/nowhere"}, "There is no model named “acme/nowhere”."),
        ({"image": "a" * 64 + "-64x64", "strength": 0.5}, "The picture behind this one is not kept here"),
        ({"width": 100}, "Tiny cannot make a picture with width 100"),
    ],
)
def test_what_cannot_be_made_again_says_why_and_queues_nothing(
    studio: Studio, image: SavedImage, changes: dict[str, Any], why: str
) -> None:
    before = len(studio.jobs())
    found = studio.rerun(with_recipe(image, **changes))
    assert (found.state, found.job) == ("impossible", None)
    assert found.sentence.startswith(f"It cannot be made again. {why}")
    assert len(studio.jobs()) == before


def test_a_file_without_its_settings_cannot_be_made_again(studio: Studio, image: SavedImage) -> None:
    buffer = io.BytesIO()
    image.open().save(buffer, "PNG")
    found = studio.rerun(buffer.getvalue())
    assert (found.file.state, found.state) == ("unknown", "impossible")
    assert "Nothing in it says how it was made" in found.sentence


def test_a_cancelled_job_leaves_no_verdict(studio: Studio, image: SavedImage) -> None:
    found = studio.rerun(with_recipe(image, num_inference_steps=1000), watch=lambda job: job.cancel())
    assert (found.state, found.job is not None) == ("impossible", True)
    assert "cancelled" in found.sentence


def test_a_copy_that_somebody_deletes_first_leaves_no_verdict(studio: Studio, image: SavedImage) -> None:
    found = studio.rerun(image, watch=lambda job: studio.gallery.delete([one.id for one in job.result()]))
    assert found.state == "impossible"
    assert found.sentence.endswith("What was made was deleted at once.")


def test_a_chain_is_made_again_from_its_first_picture_on_and_leaves_nothing_behind(
    studio: Studio, image: SavedImage, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    [second] = studio.generate("a blue house", image=image, strength=0.8, **FEW)
    [last] = studio.generate("", image=second, strength=0, upscale={"factor": 2}, seed=3)
    assert studio.rerun(last).confirmed
    assert last.path is not None
    with Studio(tiny_settings(tmp_path, tiny_checkpoint)) as other:
        jobs = list[Job]()
        assert other.rerun(last.path, watch=jobs.append).confirmed
        assert len(jobs) == 3
        assert shown(other) == set()
