"""The fields of a form, for the code that makes requests of them and for their controls. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypedDict


class Fields(Protocol):
    """The fields of a form by name, to read: a dictionary with names for keys, or the page's session."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of a field. Raises `KeyError` where the form has none of that name."""

    def get(self, name: str, default: Any, /) -> Any:
        """The value of a field, or `default` where the form has none of that name."""

    def keys(self) -> Iterable[Any]:
        """Every name. Of `Any`, since Streamlit declares that a session may have numbers for names."""


class Keep(TypedDict):
    """What a control is given so that its field outlives it."""

    persist_state: Literal["session"]


KEEP: Keep = {"persist_state": "session"}
"""Keeps a field when another page is opened, or its control is not shown."""
