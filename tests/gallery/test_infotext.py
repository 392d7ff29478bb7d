import json
import random

import pytest

from pipeline.gallery.infotext import Infotext, parse


def quoted(value: str) -> str:
    """A value as A1111 writes it."""
    return json.dumps(value, ensure_ascii=False) if any(sign in value for sign in ",:\n") else value


def written(text: Infotext) -> str:
    """The text as A1111 writes it."""
    negative = f"Negative prompt: {text.negative_prompt}\n" if text.negative_prompt else ""
    settings = ", ".join(f"{key}: {quoted(value)}" for key, value in text.settings.items())
    return f"{text.prompt}\n{negative}{settings}"


def anything(rng: random.Random, most: int) -> str:
    """Words, signs and languages as they occur in prompts."""
    pieces = [
        "a red house",
        "(sky:1.2)",
        "<lora:x:1>",
        '"quoted"',
        "\\",
        "日本",
        "ünlü",
        "a: b",
        ", ",
        "\n",
        "[x]",
        "🏠",
    ]
    return "".join(rng.choice(pieces) for _ in range(rng.randint(1, most))).strip(" ,\n") or "x"


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_by_the_rules_is_read_back_whole(seed: int):
    rng = random.Random(seed)
    usual = {"Steps": "20", "Sampler": "Euler a", "CFG scale": "7", "Seed": "1"}
    more = {f"Extra {place}": anything(rng, 5).strip('"') or "x" for place in range(rng.randint(0, 6))}
    text = Infotext(anything(rng, 12), rng.choice(["", anything(rng, 8)]), usual | more)
    assert parse(written(text)) == text


def test_the_first_of_two_values_counts():
    assert parse("a\nSteps: 1, Seed: 2, CFG scale: 3, Seed: 4").settings["Seed"] == "2"


def test_a_comma_in_an_unquoted_value_does_not_lose_the_rest_of_it():
    settings = parse("a\nSteps: 1, Seed: 2, Hires prompt: a cat, sitting, Size: 8x8").settings
    assert settings == {"Steps": "1", "Seed": "2", "Hires prompt": "a cat, sitting", "Size": "8x8"}


def test_a_quote_that_never_ends_is_an_ordinary_sign():
    settings = parse('a\nSteps: 1, Seed: 2, Note: "open, Size: 8x8').settings
    assert (settings["Note"], settings["Size"]) == ('"open', "8x8")


def test_lines_may_end_as_on_windows():
    assert parse("a\r\nb\r\nNegative prompt: c\r\nSteps: 1, Seed: 2, Size: 8x8") == Infotext(
        "a\nb", "c", {"Steps": "1", "Seed": "2", "Size": "8x8"}
    )


def test_settings_are_read_without_a_prompt():
    assert parse("Negative prompt: fog\nSteps: 20, Sampler: Euler, Seed: 1") == Infotext(
        "", "fog", {"Steps": "20", "Sampler": "Euler", "Seed": "1"}
    )
