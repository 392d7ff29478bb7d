"""The search: words, and what narrows it further, with the numbers of pictures that there are.

The widgets show what the address says; a change writes the address anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, TypedDict

import streamlit as st

from pipeline.gallery.query import Facets, ImageQuery
from pipeline.studio import Studio
from ui import either
from ui.parts.gallery import actions
from ui.parts.gallery.place import Place, filters

state = st.session_state


class _Again(TypedDict):
    """What a control is given so that its change writes the address anew."""

    on_change: Callable[[Place], None]
    args: tuple[Place]


def draw(studio: Studio, here: Place, facets: Facets) -> None:
    """One row: words, favourites, and the other filters folded away."""
    _seed(here)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="gallery-search"):
        st.text_input(
            "Search",
            key="gallery-text",
            type="search",
            icon=":material/search:",
            placeholder="Words in prompts and file names",
            label_visibility="collapsed",
            max_chars=200,
            on_change=_search,
            args=(here,),
        )
        if not here.query.deleted:
            st.pills(
                "Favourites",
                ["Favourites"],
                key="gallery-favourite",
                label_visibility="collapsed",
                on_change=_search,
                args=(here,),
            )
        count = filters(here.query)
        label = f"Filters · {count}" if count else "Filters"
        with st.popover(label, icon=":material/tune:", key="gallery-filters"):
            _more(studio, here, facets)
        if here.narrowed:
            everything = replace(here, query=ImageQuery(deleted=here.query.deleted), page=1)
            st.button("Show all", key="gallery-clear", type="tertiary", on_click=actions.search, args=(everything,))


def _more(studio: Studio, here: Place, facets: Facets) -> None:
    again: _Again = {"on_change": _search, "args": (here,)}
    models = {model: f"{either.name_of(studio, model)} · {count:,}" for model, count in facets.models}
    _select("Model", "gallery-model", models, here.query.model, again)
    sizes = {f"{width}x{height}": f"{width} × {height} · {count:,}" for width, height, count in facets.sizes}
    _select("Size", "gallery-size", sizes, _size(here.query), again)
    since, until = st.columns(2, gap="small")
    since.date_input("From", key="gallery-since", value=None, max_value=date.max, min_value=date.min, **again)
    until.date_input("Until", key="gallery-until", value=None, max_value=date.max, min_value=date.min, **again)
    st.segmented_control(
        "Stars, at least", range(1, 6), key="gallery-rating", format_func=lambda stars: f"{stars} ★", **again
    )


def _select(label: str, key: str, options: dict[str, str], chosen: str | None, again: _Again) -> None:
    """A choice that may be empty; what a bookmark asks for is offered, although there is no such picture any more."""
    options = options | ({chosen: f"{chosen} · 0"} if chosen and chosen not in options else {})
    st.selectbox(label, options, key=key, index=None, placeholder="Any", format_func=lambda one: options[one], **again)


def _seed(here: Place) -> None:
    for name, value in _shown(here.query).items():
        if state.get(f"gallery-{name}", "") != value:
            state[f"gallery-{name}"] = value


def _shown(query: ImageQuery) -> dict[str, Any]:
    """What each widget shows of a search."""
    return {
        "text": query.text,
        "favourite": "Favourites" if query.favourite else None,
        "model": query.model,
        "size": _size(query),
        "since": query.since,
        "until": query.until,
        "rating": query.min_rating or None,
    }


def _search(here: Place) -> None:
    """Search for what the widgets say now. A widget that is no longer there says what it showed."""
    said = {name: state.get(f"gallery-{name}", shown) for name, shown in _shown(here.query).items()}
    width, _, height = (said["size"] or "").partition("x")
    query = ImageQuery(
        text=said["text"].strip(),
        model=said["model"],
        since=said["since"],
        until=said["until"],
        width=int(width) if width else None,
        height=int(height) if height else None,
        favourite=bool(said["favourite"]),
        min_rating=said["rating"] or 0,
        deleted=here.query.deleted,
    )
    if query != here.query:  # Streamlit calls also when a page that is left half drawn comes back
        actions.search(Place(query))


def _size(query: ImageQuery) -> str | None:
    return f"{query.width}x{query.height}" if query.width and query.height else None
