"""A finished picture: large, with what can be done with it and how it was made."""

from __future__ import annotations

import streamlit as st

from pipeline.events import SavedImage
from pipeline.request import Recipe
from pipeline.studio import Studio
from ui import actions
from ui.parts import text


def show(image: SavedImage) -> None:
    """The picture itself, from our own route: `st.image` would re-encode it."""
    recipe, source = image.recipe, text.file_url(image.id)
    shape = f"--side:{recipe.width}px;--shape:{recipe.width / recipe.height:.4f}"
    st.html(
        f'<a class="print" href="{source}" target="_blank" title="Open alone" style="{shape}">'
        f'<img src="{source}" alt="{text.plain(recipe.prompt)}" width="{recipe.width}" height="{recipe.height}"></a>'
    )
    if image.unsaved:
        st.warning(text.escaped(image.unsaved), icon=":material/save:")


def previous(image: SavedImage) -> None:
    """The picture of before, small, while the next one is made."""
    source = text.thumbnail_url(image.id)
    st.html(
        f'<figure class="before"><img src="{source}" alt="{text.plain(image.recipe.prompt)}">'
        f"<figcaption>The last one: {text.plain(text.clipped(image.recipe.prompt))}</figcaption></figure>"
    )


def details(image: SavedImage, studio: Studio) -> None:
    """What it shows, in words, and what can be done with it."""
    recipe = image.recipe
    chips = "".join(f"<span>{text.plain(fact)}</span>" for fact in text.facts(recipe))
    st.html(f'<p class="prompt">{text.plain(recipe.prompt)}</p><div class="facts">{chips}</div>')
    download = text.file_url(image.id, download=True)
    st.link_button("Download PNG", download, type="primary", icon=":material/download:", width="stretch")
    st.button(
        "Reuse these settings",
        icon=":material/replay:",
        width="stretch",
        on_click=actions.fill,
        args=(studio, recipe.to_request()),
    )
    st.button(
        "Keep this seed",
        icon=":material/push_pin:",
        width="stretch",
        on_click=actions.keep_seed,
        args=(recipe.seed,),
    )


def recipe(image: SavedImage) -> None:
    """How the picture was made, as a table and as JSON, and where its file is."""
    with st.expander("Recipe", icon=":material/receipt_long:"):
        table, raw = st.tabs(["Table", "JSON"])
        rows = "".join(f"<dt>{name}</dt><dd>{text.plain(value)}</dd>" for name, value in _rows(image))
        table.html(f'<dl class="recipe">{rows}</dl>')
        raw.code(image.recipe.model_dump_json(indent=2), language="json", height=320)
    if image.path is not None:
        st.html(f'<p class="path" title="Where the file is">{text.plain(str(image.path))}</p>')


def _single_precisions(recipe: Recipe) -> list[str]:
    return [f"{name} {precision}" for name, precision in recipe.component_quantization.items()]


def _rows(image: SavedImage) -> list[tuple[str, str]]:
    recipe = image.recipe
    versions = ", ".join(f"{name} {version}" for name, version in recipe.versions.items())
    rows = [
        ("Negative prompt", recipe.negative_prompt),
        ("Model", recipe.model),
        ("Revision", recipe.model_revision),
        ("Steps", str(recipe.num_inference_steps)),
        ("Guidance", f"{recipe.guidance_scale:g}"),
        ("Size", f"{recipe.width} × {recipe.height}"),
        ("Seed", str(recipe.seed)),
        ("Scheduler", recipe.scheduler),
        ("LoRAs", ", ".join(f"{use.name} × {use.weight:g}" for use in recipe.loras if use.weight is not None)),
        ("VAE", recipe.vae.name if recipe.vae else ""),
        ("Quantisation", ", ".join([recipe.quantization, *_single_precisions(recipe)])),
        ("Offload", recipe.offload),
        ("Precision", recipe.dtype),
        ("Device", recipe.device),
        ("Time", f"{recipe.seconds:.1f} s"),
        ("Made", f"{recipe.created_at.astimezone():%d %B %Y, %H:%M:%S}"),
        ("Versions", versions),
        ("SHA-256", recipe.sha256),
    ]
    return [(name, value) for name, value in rows if value]
