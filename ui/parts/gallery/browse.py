"""The gallery itself: what is searched for, how much is found, and one page of it."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

import streamlit as st

from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from pipeline.gallery.query import Facets, ImagePage, ImageQuery
from pipeline.studio import Studio
from ui.parts import text
from ui.parts.gallery import actions, filters, grid
from ui.parts.gallery.place import PAGE, Place, pictures

CREATE = Path(__file__).parents[2] / "create.py"
REBUILD = "Rebuild the index"
state = st.session_state


def draw(studio: Studio, here: Place) -> tuple[SavedImage, ...]:
    """Everything from the title to the numbers of the pages; returns the pictures that are shown."""
    gallery = studio.gallery
    facets = gallery.facets()
    found = gallery.search(here.query, PAGE, here.offset)
    pages = max(1, ceil(found.total / PAGE))
    if here.page > pages:  # there were more once
        here = replace(here, page=pages)
        found = gallery.search(here.query, PAGE, here.offset)
    _head(gallery, here, facets)
    filters.draw(studio, here, facets)
    st.html(f'<p class="row" role="status">{_told(here, facets, found)}</p>')
    if found.images:
        grid.draw(gallery, here, found.images)
    else:
        _nothing(here, facets)
    _pages(here, pages)
    return found.images


def _head(gallery: Gallery, here: Place, facets: Facets) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="gallery-title"):
        if here.query.deleted:
            st.title("Deleted pictures", anchor=False)
            _trash(gallery, facets)
        else:
            st.title("Gallery", anchor=False)
            _more(gallery, facets)


def _more(gallery: Gallery, facets: Facets) -> None:
    """What is seldom wanted."""
    trash = f"Deleted pictures · {facets.deleted:,}"

    def chosen() -> None:
        if state["gallery-more"] == REBUILD:
            actions.rebuild(gallery)
        else:
            actions.search(Place(ImageQuery(deleted=True)))

    st.menu_button("More", [trash, REBUILD], icon=":material/more_horiz:", key="gallery-more", on_click=chosen)


def _trash(gallery: Gallery, facets: Facets) -> None:
    st.button("All pictures", icon=":material/arrow_back:", on_click=actions.search, args=(Place(),))
    if facets.deleted:
        with st.popover("Empty the trash", icon=":material/delete_forever:", key="gallery-empty"):
            st.write(f"{pictures(facets.deleted)} cannot be brought back then.")
            st.button("Remove for good", key="gallery-emptied", on_click=actions.empty_trash, args=(gallery,))


def _told(here: Place, facets: Facets, found: ImagePage) -> str:
    if here.query.deleted:
        kept = "They can be restored for 30 days, then they are removed." if found.total else ""
        return f"{pictures(found.total)}. {kept}" if found.total else ""
    return f"{found.total:,} of {pictures(facets.total)}" if here.narrowed else pictures(found.total)


def _nothing(here: Place, facets: Facets) -> None:
    """Why there is nothing to see, and what to do about it."""
    if here.narrowed:
        words = f" for “{text.plain(text.clipped(here.query.text))}”" if here.query.text else ""
        _paper("Nothing found", f"There is no picture{words} that passes every filter.")
    elif here.query.deleted:
        _paper("Nothing is deleted", "Pictures that you delete wait here for 30 days.")
    else:
        _paper("No pictures yet", "Every picture that you make is kept here.")
        with st.container(horizontal_alignment="center"):
            st.page_link(CREATE, label="Make the first one", icon=":material/photo_camera:", width="content")


def _paper(title: str, words: str) -> None:
    st.html(f'<div class="paper"><h2>{title}</h2><p>{words}</p></div>')


def _pages(here: Place, pages: int) -> None:
    key = f"gallery-page-{here.page}-{pages}"  # a new one on each page, which begins with what the address says

    def turn() -> None:
        if state.get(key, here.page) != here.page:
            actions.go(replace(here, page=state[key]))

    with st.container(horizontal_alignment="center"):
        if pages > 1:
            st.pagination(pages, default=here.page, key=key, on_change=turn)
