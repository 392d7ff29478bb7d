"""A finished picture: large, with what can be done with it and how it was made."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.events import SavedImage
from pipeline.models import schedulers
from pipeline.recipe import ControlUsed, Recipe
from pipeline.studio import Studio
from ui import actions, either, map_actions, maps
from ui.parts import before_after, enlarge, hosted_recipe, picture_path, source, text

GALLERY = Path(__file__).parents[1] / "gallery.py"
VARIATION = 0.15
"""How much of the noise is exchanged for more of a picture, to begin with."""


def show(image: SavedImage, studio: Studio) -> None:
    """The picture, alone or over the one that it was made from."""
    place = st.container()
    shown = before_after.draw if before_after.wanted(image, studio.inputs) else _alone
    with place:
        shown(image)
    if image.unsaved:
        st.warning(text.escaped(image.unsaved), icon=":material/save:")


def _alone(image: SavedImage) -> None:
    """From our own route: `st.image` would re-encode it."""
    recipe, source = image.recipe, text.file_url(image.id)
    shape = f"--side:{recipe.width}px;--shape:{recipe.width / recipe.height:.4f}"
    ground = " clear" if recipe.hosted else ""  # of all pictures only theirs can be transparent
    st.html(
        f'<a class="print{ground}" href="{source}" target="_blank" title="Open alone" style="{shape}">'
        f'<img src="{source}" alt="{text.plain(recipe.prompt)}" width="{recipe.width}" height="{recipe.height}"></a>'
    )


def previous(image: SavedImage) -> None:
    """The picture of before, small, while the next one is made."""
    source = text.thumbnail_url(image.id)
    st.html(
        f'<figure class="before"><img src="{source}" alt="{text.plain(image.recipe.prompt)}">'
        f"<figcaption>The last one: {text.plain(text.clipped(image.recipe.prompt))}</figcaption></figure>"
    )


def details(image: SavedImage, studio: Studio, client: str) -> None:
    """What it shows, in words, and what can be done with it."""
    recipe = image.recipe
    chips = "".join(f"<span>{text.plain(fact)}</span>" for fact in text.facts(recipe))
    st.html(f'<p class="prompt">{text.plain(recipe.prompt)}</p><div class="facts">{chips}</div>')
    with st.container(gap="xsmall", key="ways"):
        _downloads(image)
        _marks(image, studio)
        _again(image, studio)
        _more(image, studio, client)
        _work_from(image, studio, client)


def _again(image: SavedImage, studio: Studio) -> None:
    """Its settings, or its seed alone, for what comes next."""
    with st.container(horizontal=True, gap="xsmall", key="again"):
        st.button(
            "Reuse settings",
            icon=":material/replay:",
            width="stretch",
            help="Put its prompt and all its settings into the form",
            on_click=actions.fill,
            args=(studio, image.recipe.to_request()),
        )
        if image.recipe.hosted is None:
            st.button(
                "Keep this seed",
                icon=":material/push_pin:",
                width="stretch",
                help="The next picture begins from the same noise",
                on_click=actions.keep_seed,
                args=(image.seed,),
            )


def _downloads(image: SavedImage) -> None:
    """The file as it was saved, and as others that are smaller; each carries the settings."""
    with st.container(horizontal=True, gap="xsmall", key="downloads"):
        png = text.file_url(image.id, download=True)
        st.link_button("Download PNG", png, type="primary", icon=":material/download:", width="stretch")
        for kind, name in (("jpeg", "JPEG"), ("webp", "WebP")):
            st.link_button(name, text.file_url(image.id, download=True, kind=kind), help=f"Download as {name}")


def _marks(image: SavedImage, studio: Studio) -> None:
    """A heart, stars, and the way to its place among all pictures."""
    stars = f"stars-{image.id}"

    def rate() -> None:
        if stars in st.session_state:  # not when another click drew the page first
            given = st.session_state[stars]
            actions.mark(studio, image, rating=0 if given is None else given + 1)

    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="marks", wrap=False):
        st.button(
            "Favourite",
            key=f"row-heart-{'on' if image.favourite else 'off'}",
            icon=":material/favorite:",
            type="tertiary",
            help="No favourite any more" if image.favourite else "Mark as a favourite",
            on_click=actions.mark,
            args=(studio, image),
            kwargs={"favourite": not image.favourite},
        )
        st.feedback("stars", key=stars, default=image.rating - 1 if image.rating else None, on_change=rate)
        st.space("stretch")
        st.page_link(GALLERY, label="Gallery", icon=":material/photo_library:", query_params={"image": image.id})


def _more(image: SavedImage, studio: Studio, client: str) -> None:
    """More pictures of its kind, each with a job at once."""
    hosted = image.recipe.hosted is not None
    with st.container(horizontal=True, gap="xsmall", key="more"):
        if not hosted:
            _more_like(image, studio, client)
        st.button(
            f"Make {actions.MORE} more" if hosted else "Other seeds",
            icon=":material/casino:",
            width="stretch",
            key="other-seeds",
            help=f"{actions.MORE} pictures with these settings" + ("" if hosted else " and new seeds"),
            on_click=actions.other_seeds,
            args=(studio, client, image),
        )


def _more_like(image: SavedImage, studio: Studio, client: str) -> None:
    """Pictures that begin from nearly the same noise."""
    with st.popover("More like this", icon=":material/auto_awesome_motion:", width="stretch", key="more-like"):
        st.session_state.setdefault("how_different", VARIATION)
        st.slider(
            "How different",
            0.05,
            0.5,
            step=0.05,
            key="how_different",
            help="How much of the noise of this seed is exchanged: 0.05 changes details, 0.5 much.",
            persist_state="session",
        )
        st.button(
            f"Make {actions.MORE} pictures",
            type="primary",
            width="stretch",
            on_click=actions.more_like,
            args=(studio, client, image),
        )
        st.html(f'<p class="card">All begin from seed {image.seed}, with the same settings.</p>')


def _work_from(image: SavedImage, studio: Studio, client: str) -> None:
    """What can be made from the picture itself."""
    record = actions.record_of(studio, image)
    with st.container(horizontal=True, gap="xsmall", key="work-from"):
        with st.popover("Work from this", icon=":material/brush:", width="stretch", key="work-from-this"):
            for way in either.ways(record):
                st.button(
                    source.LONG_NAMES[way],
                    width="stretch",
                    key=f"work-{way}",
                    on_click=actions.work_from,
                    args=(studio, image, way),
                )
            if any(map(maps.finds_edges, maps.offered(studio.models.controlnets, record))):
                st.button(
                    "Follow its edges",
                    width="stretch",
                    key="work-edges",
                    on_click=map_actions.follow_edges,
                    args=(studio, image),
                )
        with st.popover("Enlarge", icon=":material/open_in_full:", width="stretch", key="enlarge-this"):
            enlarger = actions.enlarger_of(studio, image)
            upscaler = enlarge.choice(studio, enlarger, f"enlarge-with-{enlarger.id}")
            for factor in (2, 4):
                st.button(
                    f"× {factor} · {image.recipe.width * factor} × {image.recipe.height * factor}",
                    width="stretch",
                    key=f"enlarge-{factor}",
                    on_click=actions.enlarge,
                    args=(studio, client, image, factor, upscaler),
                )


def recipe(image: SavedImage, outputs: Path) -> None:
    """How the picture was made, as a table and as JSON, and where its file is."""
    with st.expander("Recipe", icon=":material/receipt_long:"):
        table, raw = st.tabs(["Table", "JSON"])
        rows = "".join(f"<dt>{name}</dt><dd>{text.plain(value)}</dd>" for name, value in _rows(image))
        table.html(f'<dl class="recipe">{rows}</dl>')
        raw.code(image.recipe.model_dump_json(indent=2), language="json", height=320)
    if image.path is not None:
        picture_path.draw(image.path, outputs)


def _worked_from(recipe: Recipe) -> list[tuple[str, str]]:
    """The picture that was worked from and what was done to it."""
    margins, upscale = recipe.outpaint, recipe.upscale
    sides = margins.model_dump() if margins else {}
    return [
        ("Strength", f"{recipe.strength:g}" if recipe.strength else ""),
        ("Repainted", {"whole": "a part", "masked": "a part alone"}[recipe.mask_area] if recipe.mask else ""),
        ("Extended", ", ".join(f"{side} {pixels}" for side, pixels in sides.items() if pixels)),
        ("Followed", ", ".join(_followed(use) for use in recipe.controls)),
        ("Enlarged", f"× {upscale.factor}, {upscale.upscaler}" if upscale else ""),
        ("Refined", f"strength {upscale.strength:g}" if upscale and upscale.strength else ""),
        ("Picture behind it", recipe.image.partition("-")[0] if recipe.image else ""),
    ]


def _followed(use: ControlUsed) -> str:
    steps = "" if (use.start, use.end) == maps.ALL else f", {use.start:.0%} to {use.end:.0%} of the steps"
    return f"{use.net} × {use.scale:g}{steps}"


def _single_precisions(recipe: Recipe) -> list[str]:
    return [f"{name} {precision}" for name, precision in recipe.component_quantization.items()]


def _rows(image: SavedImage) -> list[tuple[str, str]]:
    recipe = image.recipe
    made = hosted_recipe.rows(recipe, recipe.hosted) if recipe.hosted else _made_here(recipe)
    rows = [
        *made,
        *_worked_from(recipe),
        ("Time", f"{recipe.seconds:.1f} s"),
        ("Made", f"{recipe.created_at.astimezone():%d %B %Y, %H:%M:%S}"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in recipe.versions.items())),
        ("SHA-256", recipe.sha256),
    ]
    return [(name, value) for name, value in rows if value]


def _made_here(recipe: Recipe) -> list[tuple[str, str]]:
    return [
        ("Negative prompt", recipe.negative_prompt),
        ("Model", recipe.model),
        ("Revision", recipe.model_revision),
        ("Steps", str(recipe.num_inference_steps)),
        ("Guidance", f"{recipe.guidance_scale:g}"),
        ("Size", f"{recipe.width} × {recipe.height}"),
        ("Seed", str(recipe.seed)),
        (
            "Variation",
            f"{recipe.variation_strength:g} towards seed {recipe.variation_seed}" * bool(recipe.variation_strength),
        ),
        ("Scheduler", schedulers.label(recipe.scheduler) if recipe.scheduler else ""),
        ("LoRAs", ", ".join(f"{use.name} × {use.weight:g}" for use in recipe.loras if use.weight is not None)),
        ("VAE", recipe.vae.name if recipe.vae else ""),
        ("Quantisation", ", ".join([recipe.quantization, *_single_precisions(recipe)])),
        ("Offload", recipe.offload),
        ("Precision", recipe.dtype),
        ("Device", recipe.device),
    ]
