"""The comparisons that were made before: one's own first, each with its first pictures."""

from __future__ import annotations

import streamlit as st

from pipeline.compare.comparisons import ComparisonState
from pipeline.studio import Studio
from ui.parts import text
from ui.parts.compare import actions, sheet

MOST = 30
"""Comparisons that are listed."""
_PICTURES = 4


def show(studio: Studio, client: str) -> None:
    """The list; nothing while there is none."""
    found = studio.comparisons.newest(limit=MOST)
    mine = studio.comparisons.newest(client=client, limit=MOST)
    others = [one for one in found if one.client != client]
    if mine:
        _list(studio, "Earlier comparisons", mine)
    if others:
        _list(studio, "Of other people here" if mine else "Earlier comparisons", others)


def _list(studio: Studio, heading: str, found: list[ComparisonState]) -> None:
    st.html(f'<h2 class="head">{heading}</h2>')
    for one in found:
        _row(studio, one)


def _row(studio: Studio, one: ComparisonState) -> None:
    name = text.escaped(text.clipped(one.comparison.base.prompt, 40))
    with st.container(horizontal=True, vertical_alignment="center", key=f"row-{one.id}", border=True):
        st.html(_words(one))
        st.button(
            f"Open “{name}”",
            icon=":material/open_in_full:",
            type="tertiary",
            key=f"open-{one.id}",
            help="Open",
            on_click=actions.look,
            args=(one.id,),
        )
        st.button(
            f"Forget “{name}”",
            icon=":material/close:",
            type="tertiary",
            key=f"forget-{one.id}",
            help="Take it off this list; its pictures stay",
            on_click=actions.forget,
            args=(studio, one.id),
        )


def _words(one: ComparisonState) -> str:
    images = [cell.job.images[0] for cell in one.cells if cell.job.images][:_PICTURES]
    strip = "".join(f'<img src="{text.thumbnail_url(image.id, 128)}" alt="" loading="lazy">' for image in images)
    across, down = one.comparison.shape
    shape = f"{across} × {down}" if one.comparison.rows else f"{across}"
    stand = f"{one.done} of {len(one.cells)} pictures" if one.done < len(one.cells) else f"{shape} pictures"
    facts = f"{sheet.axes(one)} · {stand} · {one.created_at.astimezone():%d %B %Y, %H:%M}"
    return (
        f'<div class="earlier"><div class="strip">{strip}</div><div><p class="row">'
        f"{text.plain(text.clipped(one.comparison.base.prompt))}</p><p class=card>{text.plain(facts)}</p></div></div>"
    )
