"""Ideas and styles as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo import captions, scenes
from pipeline.errors import BadSettings
from pipeline.models.registry import ModelRecord, Registry
from ui import presets
from ui.presets import Style

REGISTRY = Registry.read()
DEMO = REGISTRY.find("demo")
LARGE = REGISTRY.find("stable-diffusion-3.5-medium")
BLANK = {"prompt": "", "negative_prompt": ""}
INK = Style(name="Ink", prompt="ink drawing of {prompt}", negative="colour")


def phrases(*tables: object) -> set[str]:
    """Every wording in some of the caption tables, in small letters."""
    found: set[str] = set()
    for table in tables:
        for wordings in table.values() if isinstance(table, dict) else [table]:
            found |= {wording.lower() for wording in wordings}
    return found


WORDS = phrases(
    captions.NOUNS,
    captions.SHADES,
    captions.PLACED,
    captions.AFLOAT,
    captions.ALOFT,
    captions.VIEWS,
    captions.TIME,
    captions.WEATHER,
    captions.STYLE,
    captions.MOONLIGHT,
    captions.SUNSHINE,
)


def trained_words() -> set[str]:
    return {word for phrase in WORDS for word in phrase.replace("-", " ").split()} | {"a", "red", "hot", "air"}


@pytest.mark.parametrize("record", REGISTRY.records, ids=lambda record: record.id)
def test_every_model_has_ideas_of_every_group_and_some_styles(record: ModelRecord) -> None:
    ideas = presets.ideas(record)
    assert list(ideas) == ["Objects", "Scenes", "Styles"]
    assert all(len(set(prompts)) == len(prompts) >= 4 for prompts in ideas.values())
    assert len(presets.styles(record)) >= 4


def test_the_demo_has_ideas_of_its_own_in_words_that_it_was_trained_on() -> None:
    own = {prompt for prompts in presets.ideas(DEMO).values() for prompt in prompts}
    assert not own & set(presets.ideas(LARGE)["Objects"] + presets.ideas(LARGE)["Scenes"])
    for prompt in own:
        assert set(prompt.lower().replace(",", "").replace("-", " ").split()) <= trained_words(), prompt


def test_the_styles_of_the_demo_are_those_that_it_was_trained_on() -> None:
    known = phrases(captions.STYLE)
    kinds = set()
    for style in presets.styles(DEMO).values():
        added = style.prompt.replace("{prompt}", "").strip(" ,").lower()
        assert added in known, style.name
        kinds.add(next(kind for kind, wordings in captions.STYLE.items() if added in phrases({"": wordings})))
    assert kinds == set(scenes.STYLES)


def test_a_style_is_put_around_the_words_and_its_negative_after_those_of_the_form() -> None:
    sent = presets.sent({"prompt": " a boat ", "negative_prompt": "people"}, INK)
    assert (sent["prompt"], sent["negative_prompt"]) == ("ink drawing of a boat", "people, colour")


def test_without_a_style_the_words_are_sent_as_they_are() -> None:
    assert presets.sent({"prompt": "a boat", "negative_prompt": "fog", "seed": 3}, None) == {
        "prompt": "a boat",
        "negative_prompt": "fog",
        "seed": 3,
    }


def test_an_empty_prompt_stays_empty_whatever_the_style() -> None:
    assert presets.sent(BLANK, INK) == BLANK


def test_braces_in_a_prompt_are_words_like_others() -> None:
    assert (
        presets.sent({"prompt": "{x} {prompt}", "negative_prompt": ""}, INK)["prompt"] == "ink drawing of {x} {prompt}"
    )


def test_a_persons_own_styles_are_added_and_replace_those_of_the_same_name(tmp_path: Path) -> None:
    file = tmp_path / "styles.toml"
    file.write_text(
        '[[style]]\nname = "Neon"\nprompt = "{prompt}, neon"\n'
        '[[style]]\nname = "Watercolour"\nprompt = "{prompt}, my wash"\n'
        '[[style]]\nname = "Elsewhere"\nprompt = "{prompt}"\nmodels = ["acme/other"]\n',
        encoding="utf-8",
    )
    own = presets.read_styles(file)
    known = presets.styles(LARGE, own)
    assert known["Watercolour"].prompt == "{prompt}, my wash"
    assert "Neon" in known
    assert "Neon" in presets.styles(DEMO, own)
    assert "Elsewhere" not in known


def test_no_file_of_styles_is_no_styles(tmp_path: Path) -> None:
    assert presets.read_styles(tmp_path / "styles.toml") == ()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('[[style]]\nname = "Ink"\nprompt = "ink"\n', "it needs {prompt}"),
        ('[[style]]\nname = ""\nprompt = "{prompt}"\n', "name"),
        ('[[style]]\nname = "Ink"\nprompt = "{prompt}"\ncolour = "red"\n', "colour"),
        ("[style]\nname = 'Ink'\n", "wrong"),
        ("style = 3\n", "cannot be read"),
        ("[[style\n", "cannot be read"),
    ],
)
def test_a_wrong_file_of_styles_is_told_in_a_sentence(tmp_path: Path, written: str, told: str) -> None:
    file = tmp_path / "styles.toml"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(BadSettings) as caught:
        presets.read_styles(file)
    assert told in caught.value.info.message
    assert str(file) in caught.value.info.message
