"""The sheet and the folder of a comparison."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from pipeline.compare.export import folder_name
from pipeline.compare.grid import parse_comparison
from pipeline.compare.sheet import read_comparison
from pipeline.errors import NotFound
from pipeline.gallery.metadata import read_recipe
from pipeline.studio import Studio
from tests.compare.conftest import compared, finished


def unpacked(studio: Studio, comparison_id: str) -> dict[str, bytes]:
    """Every file of the archive by its name."""
    with zipfile.ZipFile(io.BytesIO(b"".join(studio.comparisons.archive(comparison_id)))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_folder_holds_sheet_comparison_and_pictures_named_by_their_places(studio: Studio) -> None:
    state = finished(
        studio, studio.comparisons.start(compared({"guidance_scale": [1, 4.5]}, {"prompt": ["cat", "a/b: ‹dog›?"]}))
    )
    found = unpacked(studio, state.id)
    folder = folder_name(state)
    assert list(found) == [
        f"{folder}/sheet.png",
        f"{folder}/comparison.json",
        f"{folder}/01-01_prompt-words-cat_guidance-1.png",
        f"{folder}/01-02_prompt-words-cat_guidance-4.5.png",
        f"{folder}/02-01_prompt-words-a-b-dog_guidance-1.png",
        f"{folder}/02-02_prompt-words-a-b-dog_guidance-4.5.png",
    ]
    assert read_comparison(found[f"{folder}/sheet.png"]) == state.comparison
    assert read_comparison(found[f"{folder}/comparison.json"]) == state.comparison
    for cell, name in zip(state.cells, list(found)[2:], strict=True):
        assert read_recipe(found[name]) == cell.job.images[0].recipe


def test_a_sheet_of_one_row_names_its_pictures_by_the_columns_alone(studio: Studio) -> None:
    state = finished(studio, studio.comparisons.start(compared({"quantization": ["none", "nf4"]})))
    names = [name.split("/")[1] for name in unpacked(studio, state.id)]
    assert names[2:] == ["01-01_quantisation-none.png", "01-02_quantisation-nf4.png"]


def test_words_in_any_script_make_file_names_that_every_system_takes(studio: Studio) -> None:
    words = ["cat", "Ωμέγα", "…", "x" * 300, "CON.", ""]
    state = finished(studio, studio.comparisons.start(compared({"prompt": words})))
    names = [name.split("/")[1] for name in unpacked(studio, state.id)][2:]
    assert len(set(names)) == len(words)
    assert all(name.isascii() and len(name) < 100 and not name.endswith("..png") for name in names)


def test_pictures_that_are_not_there_are_left_out_and_the_sheet_is_drawn_all_the_same(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"num_inference_steps": [1, 2, 1000]}))
    studio.job(state.cells[0].job.id).result()
    [second] = studio.job(state.cells[1].job.id).result()
    studio.gallery.delete([second.id])
    assert [name.split("/")[1] for name in unpacked(studio, state.id)][2:] == ["01-01_steps-1.png"]
    sheet = studio.comparisons.sheet(state.id)
    assert Image.open(io.BytesIO(sheet)).format == "PNG"
    assert read_comparison(sheet) == state.comparison


def test_before_the_first_picture_there_is_a_sheet_already(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"seed": [1, 2]}, num_inference_steps=1000))
    assert read_comparison(studio.comparisons.sheet(state.id)) == state.comparison


def test_the_archive_of_an_unknown_comparison_is_refused_before_anything_is_sent(studio: Studio) -> None:
    with pytest.raises(NotFound):
        studio.comparisons.archive("0123456789abcdef")


def test_a_hand_written_comparison_is_a_comparison_too() -> None:
    written = b'{"base": {"prompt": "a cat"}, "columns": {"field": "num_inference_steps", "values": ["4", 8]}}'
    assert read_comparison(written) == parse_comparison(
        {"base": {"prompt": "a cat"}, "columns": {"field": "num_inference_steps", "values": [4, 8]}}
    )
