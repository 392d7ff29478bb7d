"""Which upscalers there are, how they are found by name, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest, NotFound
from pipeline.models.own.shelf import Shelf
from pipeline.models.upscalers import DARKROOM, LANCZOS, find_upscaler, upscalers
from tests.models.weight_files import COMPACT, LORA_SD15, write


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    write(tmp_path / "upscalers/anime/Sharp.safetensors", COMPACT)
    return Shelf(tmp_path)


def test_lanczos_and_darkroom_s_own_are_there_without_a_weights_folder(tmp_path: Path) -> None:
    assert upscalers(Shelf(tmp_path / "nowhere")) == [LANCZOS, DARKROOM]
    assert DARKROOM.path is not None
    assert DARKROOM.path.is_file()


def test_the_shipped_file_is_small_and_readable_for_everybody() -> None:
    assert DARKROOM.path is not None
    facts = DARKROOM.path.stat()
    assert facts.st_size < 3 * 2**20
    assert facts.st_mode & 0o777 == 0o644


def test_own_files_are_listed_with_their_factor_and_a_sentence(shelf: Shelf) -> None:
    own = upscalers(shelf)[-1]
    assert (own.name, own.factor, own.refusal) == ("anime/Sharp", 2, "")
    assert own.sentence == "A network of your own (compact) that makes pictures 2 times as large."


@pytest.mark.parametrize("name", ["lanczos", " Darkroom-X4 ", "anime/sharp", "SHARP"])
def test_an_upscaler_is_found_by_its_name(shelf: Shelf, name: str) -> None:
    assert find_upscaler(name, shelf).name.lower().endswith(name.strip().lower())


@pytest.mark.parametrize("name", ["../upscalers/anime/Sharp", "/etc/passwd", "anime/Sharp.safetensors", "*", ""])
def test_no_name_is_opened_as_a_path_and_the_error_names_those_that_are_known(shelf: Shelf, name: str) -> None:
    with pytest.raises(NotFound, match="Choose one of: lanczos, darkroom-x4, anime/Sharp") as caught:
        find_upscaler(name, shelf)
    assert caught.value.info.field == "upscale"


def test_a_name_that_several_files_share_is_refused_with_their_full_names(shelf: Shelf) -> None:
    write(shelf.folder / "upscalers/photo/sharp.safetensors", COMPACT)
    with pytest.raises(NotFound, match=r"can mean several files\. Choose one of: anime/Sharp, photo/sharp\."):
        find_upscaler("sharp", shelf)


def test_an_own_file_does_not_take_the_name_of_one_that_comes_with_darkroom(shelf: Shelf) -> None:
    write(shelf.folder / "upscalers/Lanczos.safetensors", COMPACT)
    assert find_upscaler("lanczos", shelf) == LANCZOS
    assert find_upscaler("upscalers/lanczos", shelf).factor == 2


@pytest.mark.parametrize("ending", [".pth", ".ckpt", ".pt"])
def test_a_pickle_is_listed_and_refused_with_the_reason(shelf: Shelf, ending: str) -> None:
    (shelf.folder / f"upscalers/old{ending}").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(
        InvalidRequest, match=r"can run any code when it is opened; only \.safetensors files are"
    ) as error:
        find_upscaler(f"old{ending}", shelf)
    assert "Choose one of: lanczos, darkroom-x4, anime/Sharp." in error.value.info.remedy


def test_a_file_that_is_no_upscaler_is_refused_with_what_it_is(shelf: Shelf) -> None:
    write(shelf.folder / "upscalers/ink.safetensors", LORA_SD15)
    write(shelf.folder / "upscalers/odd.safetensors", {"layer.weight": (4, 4, 3, 3)})
    with pytest.raises(InvalidRequest, match="“ink” is a lora, not an upscaler"):
        find_upscaler("ink", shelf)
    with pytest.raises(InvalidRequest, match=r"is not of a kind that is known here\. .* kinds Compact and ESRGAN"):
        find_upscaler("odd", shelf)


def test_an_upscaler_among_the_loras_is_refused_there(shelf: Shelf) -> None:
    write(shelf.folder / "loras/sharp.safetensors", COMPACT)
    with pytest.raises(InvalidRequest, match="is an upscaler, not a LoRA"):
        shelf.lora("sharp")
