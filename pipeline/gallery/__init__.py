"""Finished pictures: files on disk (`files`), what a PNG carries (`metadata`), the index (`index`), and the façade.

The names are imported when they are first used: what a query may ask is known without Pillow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.gallery.gallery import Gallery
    from pipeline.gallery.metadata import a1111_text, encode_png, read_recipe

_HOMES = {"Gallery": "gallery", "a1111_text": "metadata", "encode_png": "metadata", "read_recipe": "metadata"}
__all__ = ["Gallery", "a1111_text", "encode_png", "read_recipe"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
