"""Ideas to start from and styles to draw in, as data from `ideas.toml` and `styles.toml`. Knows no Streamlit."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, field_validator

from pipeline.errors import BadSettings
from pipeline.models.registry import Model
from ui.fields import Fields

HERE = Path(__file__).parent
NO_STYLE = ""
_WORDS = "{prompt}"
"""Where a style has the person's own words."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ideas(_Data):
    """Prompts of one group, for the models that are named, or for all others when none is."""

    group: Literal["Objects", "Scenes", "Styles"]
    prompts: tuple[str, ...]
    models: tuple[str, ...] = ()


class Style(_Data):
    """What is put around a prompt so that it is drawn in a certain manner."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    prompt: str
    negative: str = ""
    models: tuple[str, ...] = ()

    @field_validator("prompt")
    @classmethod
    def _with_a_place_for_the_prompt(cls, prompt: str) -> str:
        if _WORDS not in prompt:
            raise ValueError(f"it needs {_WORDS} where the words of the form belong")
        return prompt

    def around(self, prompt: str, negative: str) -> tuple[str, str]:
        """The prompt and the negative prompt that are sent for those of the form."""
        return self.prompt.replace(_WORDS, prompt), ", ".join(part for part in (negative, self.negative) if part)


class _ForModels(Protocol):
    @property
    def models(self) -> tuple[str, ...]: ...


Offer = TypeVar("Offer", bound=_ForModels)


def ideas(record: Model) -> dict[str, tuple[str, ...]]:
    """What `record` draws well, by group."""
    return {one.group: one.prompts for one in _for_model(_shipped_ideas(), record)}


def styles(record: Model, own: Iterable[Style] = ()) -> dict[str, Style]:
    """The styles that suit `record`, by name: those of the studio, then a person's own."""
    mine = [style for style in own if not style.models or record.id in style.models]
    return {style.name: style for style in (*_for_model(_shipped_styles(), record), *mine)}


def read_styles(path: Path) -> tuple[Style, ...]:
    """The styles of a file, none where there is no file; raises `BadSettings` that says what is wrong with it."""
    if not path.exists():
        return ()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return tuple(Style.model_validate(one) for one in data.get("style", []))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        what = f"{where}: {problem['msg'].removeprefix('Value error, ')}" if where else problem["msg"]
        raise BadSettings(f"A style in {path} is wrong: {what}.", "Correct the file.") from None
    except (ValueError, TypeError, OSError) as error:
        raise BadSettings(f"The styles in {path} cannot be read: {error}.", "Correct the file.") from None


def sent(form: Fields, style: Style | None) -> dict[str, Any]:
    """The form with the prompts that are really sent. An empty prompt stays empty."""
    prompt, negative = form["prompt"].strip(), form["negative_prompt"].strip()
    if style is not None and prompt:
        prompt, negative = style.around(prompt, negative)
    return {**form, "prompt": prompt, "negative_prompt": negative}


def _for_model(offers: Iterable[Offer], record: Model) -> list[Offer]:
    """Those that name the model; where none does, those that name nobody."""
    known = list(offers)
    own = [one for one in known if record.id in one.models]
    return own or [one for one in known if not one.models]


@lru_cache(maxsize=1)
def _shipped_ideas() -> tuple[Ideas, ...]:
    data = tomllib.loads((HERE / "ideas.toml").read_text(encoding="utf-8"))
    return tuple(Ideas.model_validate(one) for one in data["ideas"])


@lru_cache(maxsize=1)
def _shipped_styles() -> tuple[Style, ...]:
    return read_styles(HERE / "styles.toml")
