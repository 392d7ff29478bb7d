import pytest
from PIL import Image, ImageDraw

from pipeline.compare.lettering import UNBROKEN, Lettering, clean


def painted(text: str, letters: Lettering | None = None) -> bytes:
    canvas = Image.new("L", (300, 60))
    (letters or Lettering([text])).draw(ImageDraw.Draw(canvas), (10, 40), text, 24, "white")
    return canvas.tobytes()


def test_no_line_is_wider_than_allowed_and_no_word_is_lost():
    text = "a lighthouse on a cliff above a stormy sea with incomprehensibilities"
    letters = Lettering([text])
    lines = letters.lines(text, 20, 150, 100)
    assert all(letters.width(line, 20) <= 150 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_what_has_no_room_is_clipped_with_three_dots():
    letters = Lettering(["one two three four five six"])
    lines = letters.lines("one two three four five six", 20, 60, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert letters.width(lines[-1], 20) <= 60


def test_text_that_fits_is_left_alone():
    letters = Lettering(["one two"])
    assert letters.lines("one two", 20, 500, 2) == ["one two"]
    assert letters.lines("", 20, 500, 2) == []


def test_a_line_does_not_end_at_an_unbroken_space():
    text = f"made on 21{UNBROKEN}November"
    letters = Lettering([text])
    lines = letters.lines(text, 20, letters.width("made on 21 Nov", 20), 5)
    assert f"21{UNBROKEN}November" in lines


def test_plain_english_is_drawn_with_one_font_and_completely():
    letters = Lettering(["a house, 512 × 512 – “red”"])
    assert letters.is_complete
    assert painted("a house") != painted("a hause")


@pytest.mark.parametrize("missing", ["\U0001f9ff", "\U00013000", "\ue000a"])
def test_a_character_without_a_font_is_never_an_empty_box(missing: str):
    letters = Lettering([missing + "?"])
    if letters.is_complete:
        assert clean(missing) != missing or painted(missing) != painted("?")
    else:
        assert painted(missing, letters) == painted("?", letters)


def test_invisible_characters_are_left_out():
    assert clean("a\u202eb\0c\nd\te  f") == "abc d e f"


def test_one_letter_wider_than_the_line_still_ends():
    assert Lettering(["WWW"]).lines("WWW", 40, 5, 10) == ["W", "W", "W"]
