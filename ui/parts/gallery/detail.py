"""One picture: large, with what can be done with it and how it was made."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pipeline.errors import NotFound
from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from pipeline.studio import Studio
from ui.parts import before_after, contact_sheet, picture, text
from ui.parts.gallery import actions, again, neighbours, onward, viewer
from ui.parts.gallery.neighbours import Neighbours
from ui.parts.gallery.place import Place

state = st.session_state


def draw(studio: Studio, here: Place) -> None:
    """The picture in the address, with its neighbours; or that there is none."""
    gallery = studio.gallery
    try:
        image = gallery.find(here.image)
    except NotFound as error:
        _back(here)
        st.info(f"{text.escaped(error.info.message)} It may have been deleted or moved.", icon=":material/search_off:")
        return
    ways = neighbours.find(gallery, here, image)
    _head(here, ways)
    large, aside = st.columns([2, 1], gap="large")
    with large:
        place = st.container()
        both = before_after.wanted(image, studio.inputs)
        with place:
            if both:
                before_after.draw(image)
            else:
                viewer.draw(here, image, ways)
    with aside:
        _words(image)
        if image.deleted:
            _bring_back(gallery, here, image)
        else:
            _marks(gallery, image)
            _downloads(image)
            _uses(studio, here, image, ways)
        _verdict(image)
        again.draw(studio, here, image)
        contact_sheet.family(gallery, image)
        picture.recipe(image, gallery.outputs)


def _back(here: Place) -> None:
    label = "All deleted pictures" if here.query.deleted else "All pictures"
    icon = ":material/arrow_back:"
    st.button(label, icon=icon, key="gallery-back", type="tertiary", on_click=actions.close_picture, args=(here,))


def _head(here: Place, ways: Neighbours) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="gallery-head"):
        _back(here)
        if ways.position:
            st.html(f'<p class="row">{ways.position:,} of {ways.total:,}</p>', width="content")


def _words(image: SavedImage) -> None:
    chips = "".join(f"<span>{text.plain(fact)}</span>" for fact in text.facts(image.recipe))
    st.html(f'<h1 class="prompt">{text.plain(image.recipe.prompt)}</h1><div class="facts">{chips}</div>')
    if image.unsaved:
        st.warning(text.escaped(image.unsaved), icon=":material/save:")


def _marks(gallery: Gallery, image: SavedImage) -> None:
    """A heart, and one to five stars; the star that is set takes the stars away again."""
    key = f"gallery-stars-{image.id}"
    state[key] = image.rating - 1 if image.rating else None

    def rate() -> None:
        if key in state:
            actions.mark(gallery, [image.id], rating=0 if state[key] is None else state[key] + 1)

    def heart() -> None:
        actions.mark(gallery, [image.id], favourite=not image.favourite)

    with st.container(horizontal=True, vertical_alignment="center", key="gallery-marks"):
        label = "♥ Favourite" if image.favourite else "♡ Favourite"
        st.button(label, key="gallery-heart", type="primary" if image.favourite else "secondary", on_click=heart)
        st.feedback("stars", key=key, on_change=rate)


def _downloads(image: SavedImage) -> None:
    with st.container(horizontal=True, gap="small", key="gallery-downloads"):
        for kind, name in (("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WebP")):
            address = text.file_url(image.id, download=True, kind=kind)
            st.link_button(name, address, icon=":material/download:", key=f"gallery-{kind}", help=f"Download as {name}")


def _uses(studio: Studio, here: Place, image: SavedImage, ways: Neighbours) -> None:
    gallery = studio.gallery
    if st.button("Reuse these settings", icon=":material/replay:", key="gallery-reuse", width="stretch"):
        st.switch_page("create.py", query_params={"image": image.id, "reuse": "1"})
    onward.draw(studio, image)
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Verify",
            icon=":material/verified:",
            key="gallery-verify",
            help="Whether every pixel is as it was made",
            on_click=actions.check,
            args=(gallery, image.id),
        )
        gone = {"gallery": gallery, "image_ids": [image.id], "then": _next(here, ways)}
        st.button("Delete", icon=":material/delete:", key="gallery-delete", on_click=actions.delete, kwargs=gone)
    again.button(studio, image)


def _bring_back(gallery: Gallery, here: Place, image: SavedImage) -> None:
    back = {"gallery": gallery, "image_ids": [image.id], "then": replace(here, image="")}
    icon = ":material/restore_from_trash:"
    st.button("Restore", icon=icon, key="gallery-restore", type="primary", on_click=actions.restore, kwargs=back)


def _next(here: Place, ways: Neighbours) -> Place:
    """What is shown when this picture is gone: the next older one, else the newer, else the grid."""
    return ways.older or ways.newer or replace(here, image="")


def _verdict(image: SavedImage) -> None:
    place = st.container()
    checked, verdict = state.get("gallery-verdict", ("", None))
    if checked == image.id and verdict is not None:
        place.html(f'<p class="verdict {verdict.state}" role="status">{text.plain(verdict.sentence)}</p>')
