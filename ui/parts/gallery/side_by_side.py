"""Two or more pictures compared: large and in step, and for two a slider, the difference, and what it measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from pipeline.errors import DarkroomError, NotFound
from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from pipeline.gallery.difference import Difference, measure
from pipeline.recipe import Recipe
from ui.parts import hosted_recipe, slider, text
from ui.parts.gallery import actions, panes
from ui.parts.gallery.place import Place

WAYS = ("Side by side", "Slider", "Difference")
GAINS = (1, 4, 8, 16, 32)
"""How many times the difference can be strengthened."""
SETTINGS = {
    "prompt": "Prompt",
    "negative_prompt": "Negative prompt",
    "model": "Model",
    "num_inference_steps": "Steps",
    "guidance_scale": "Guidance",
    "width": "Width",
    "height": "Height",
    "seed": "Seed",
    "variation_seed": "Variation seed",
    "variation_strength": "Variation strength",
    "scheduler": "Scheduler",
    "quantization": "Quantisation",
    "dtype": "Precision",
    "device": "Device",
}
"""Settings that explain why two pictures differ."""


def draw(gallery: Gallery, here: Place) -> None:
    """The pictures in the address, and what differs in their settings."""
    everything = replace(here, compared=())
    icon = ":material/arrow_back:"
    st.button("All pictures", icon=icon, key="gallery-back", type="tertiary", on_click=actions.go, args=(everything,))
    images = _found(gallery, here.compared)
    if len(images) < 2:
        st.info("There are no two of these pictures any more.", icon=":material/search_off:")
        return
    st.html(f'<h1 class="head">{len(images)} pictures compared</h1>')
    ways = WAYS if len(images) == 2 and _same_size(images) else WAYS[:1]
    way = WAYS[0]
    if len(ways) > 1:
        # In the session and not as the control's default: a picture that was made again is compared by the slider.
        st.session_state.setdefault("gallery-way", way)
        way = st.segmented_control("View", ways, required=True, key="gallery-way", label_visibility="collapsed") or way
    if way == WAYS[0]:
        panes.draw(images)
    else:
        _pair(gallery, images[0], images[1], way)
    st.html(differences(images))


def differences(images: Sequence[SavedImage]) -> str:
    """A table of the settings that are not the same in all."""
    rows = [_row(name, [_value(image.recipe, field) for image in images]) for field, name in SETTINGS.items()]
    told = "".join(row for row in rows if row)
    if not told:
        return '<p class="row">All their settings are the same.</p>'
    heads = "".join(f'<th scope="col">{letter}</th>' for letter, _ in zip(panes.LETTERS, images, strict=False))
    return (
        '<div class="apart" tabindex="0" role="region" aria-label="What differs in their settings"><table>'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{told}</tbody></table></div>"
    )


def sentence(found: Difference) -> str:
    """The numbers in words."""
    if found.identical:
        return "Identical: every pixel is the same."
    return (
        f"PSNR {found.psnr:.1f} dB · SSIM {found.ssim:.3f} · {found.changed:.0%} of the pixels differ, "
        f"by {found.largest} of 255 at most."
    )


def _pair(gallery: Gallery, first: SavedImage, second: SavedImage, way: str) -> None:
    try:
        found = measure(gallery.png(first.id), gallery.png(second.id))
    except DarkroomError as error:
        st.html(f'<p class="problem" role="alert">{text.plain(error.info.sentence)}</p>')
        return
    st.html(f'<p class="row">{text.plain(sentence(found))}</p>')
    if way == "Slider":
        slider.show(first, second, ("A", "B"), key="gallery-slider")
        return
    gain = st.select_slider(
        "Strengthened", GAINS, value=8, key="gallery-gain", format_func=lambda by: f"{by} ×", width=320
    )
    shape = f"--side:{first.recipe.width}px;--shape:{first.recipe.width / first.recipe.height:.4f}"
    source = text.difference_url(first.id, second.id, gain)
    st.html(
        f'<div class="print" style="{shape}"><img src="{source}" width="{first.recipe.width}" '
        f'height="{first.recipe.height}" alt="Where A and B differ: black is the same"></div>'
    )


def _found(gallery: Gallery, image_ids: Sequence[str]) -> list[SavedImage]:
    images = []
    for image_id in image_ids:
        try:
            images.append(gallery.find(image_id))
        except NotFound:
            continue
    return images


def _same_size(images: Sequence[SavedImage]) -> bool:
    return len({(image.recipe.width, image.recipe.height) for image in images}) == 1


def _row(name: str, values: Sequence[str]) -> str:
    if len(set(values)) == 1:
        return ""
    cells = "".join(f"<td>{text.plain(value)}</td>" for value in values)
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


def _value(recipe: Recipe, field: str) -> str:
    value = hosted_recipe.told(recipe, field)
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value in (None, "") else str(value)
