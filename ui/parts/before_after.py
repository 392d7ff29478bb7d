"""A result over the picture that it was made from, with a handle between them."""

from __future__ import annotations

import streamlit as st

from pipeline.events import SavedImage
from pipeline.inputs import size_of
from pipeline.pictures.store import InputStore
from pipeline.recipe import Recipe
from ui.parts import slider, text


def wanted(image: SavedImage, inputs: InputStore) -> bool:
    """Offer it under the picture where there is something to compare with, and say whether it was chosen."""
    if not goes_together(image.recipe) or not inputs.has(image.recipe.image or ""):
        return False
    help_text = "Lay it over the picture that it was made from"
    return st.toggle("Before and after", key="before-after", help=help_text, persist_state="session")


def draw(image: SavedImage) -> None:
    """Before on the left of the handle, after on its right."""
    recipe = image.recipe
    sources = text.upload_url(recipe.image or ""), text.file_url(image.id)
    slider.draw(sources, ("Before", "After"), recipe.prompt, (recipe.width, recipe.height), key=f"before-{image.id}")


def goes_together(recipe: Recipe) -> bool:
    """Whether a picture has the shape of the one that it was made from, so that one can lie over the other."""
    if recipe.image is None or recipe.outpaint is not None:
        return False
    width, height = size_of(recipe.image)
    return width * recipe.height == height * recipe.width
