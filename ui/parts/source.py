"""A picture to work from: where it is dropped, and what is done with it, as far as the model can."""

from __future__ import annotations

import streamlit as st

from pipeline.inputs import MAX_FEATHER, MAX_MARGIN, size_of
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model
from pipeline.studio import Studio
from ui import actions, either, form
from ui.fields import KEEP
from ui.parts import mask_editor, one_of, problems, text

state = st.session_state
KINDS = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif")
NAMES = {form.CHANGE: "Change", form.REPAINT: "Repaint", form.EXTEND: "Extend"}
LONG_NAMES = {form.CHANGE: "Change it", form.REPAINT: "Repaint a part", form.EXTEND: "Extend it"}
FITS = {"crop": "Cut out its middle", "pad": "Continue its edges", "resize": "Stretch it"}
AREAS = {"whole": "The whole picture", "masked": "The part alone, at full size"}
STEP = 8
"""Pixels by which margins change."""


def draw(studio: Studio, record: Model) -> None:
    """The section of the form. A model that can do nothing with a picture says so while there is one."""
    place = st.container(key="source", gap="xsmall")
    with place:
        offered = either.ways(record)
        if state.image is None:
            if offered:
                _drop(studio)
            problems.under("image")
            return
        _card()
        problems.under("image")
        if not offered:
            st.html(f'<p class="tokens over" role="status">{text.plain(either.why_not(record, "image"))}</p>')
            return
        _ways(offered)
        if reason := either.why_not(record, "inpaint"):
            st.html(f'<p class="tokens left">{text.plain(reason)}</p>')
        {form.CHANGE: _change, form.REPAINT: _repaint, form.EXTEND: _extend}[state.way](studio, record)


def _drop(studio: Studio) -> None:
    with st.expander("Start from a picture", icon=":material/add_photo_alternate:", type="compact", key="source-drop"):
        key = f"source-{state.setdefault('pictures_taken', 0)}"  # another each time, so that no file is kept

        def take() -> None:
            if (file := state.get(key)) is not None:
                state.pictures_taken += 1
                actions.take_picture(studio, file.getvalue())

        st.file_uploader("A picture to work from", KINDS, key=key, on_change=take, label_visibility="collapsed")


def _card() -> None:
    """The picture, small, what was done to it, and the way to be rid of it."""
    width, height = size_of(state.image)
    notes = "".join(f"<p>{text.plain(note)}</p>" for note in state.image_notes)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="row-source", wrap=False):
        st.html(
            f'<div class="source"><img src="{text.upload_url(state.image)}" alt="The picture to work from">'
            f"<div><p>{width} × {height}</p>{notes}</div></div>"
        )
        st.button(
            "Work without it",
            icon=":material/close:",
            type="tertiary",
            key="source-away",
            help="Work from words alone again",
            on_click=actions.drop_picture,
        )


def _ways(offered: list[str]) -> None:
    if state.way not in offered:
        actions.choose_way(offered[0])

    def choose() -> None:
        actions.choose_way(state.way)

    one_of.draw("What to do with it", {way: NAMES[way] for way in offered}, "way", then=choose, labelled=False)


def _change(_: Studio, record: Model) -> None:
    if isinstance(record, HostedModel) and not record.darkroom:  # which is told by words alone what is to change
        return
    _strength("How much of it is drawn anew: 0.2 changes details, 0.8 keeps little more than the layout.")
    st.selectbox("Fit", FITS, key="fit", format_func=FITS.__getitem__, help="How it comes to the size below.", **KEEP)


def _repaint(studio: Studio, record: Model) -> None:
    mask_editor.opener(studio)
    problems.under("mask")
    if isinstance(record, HostedModel) and not record.darkroom:
        return
    _strength("How much of the part is drawn anew: 1 is all of it, less keeps its colours and shapes.")
    if not isinstance(record, HostedModel):
        areas = "The part alone is drawn as large as the model can and put back: finer, and all else stays as it is."
        st.selectbox("Draw", AREAS, key="mask_area", format_func=AREAS.__getitem__, help=areas, **KEEP)
    feather = "Pixels inside the edge over which the new part goes over into the old one."
    st.slider("Soft edge", 0, min(64, MAX_FEATHER), key="mask_feather", help=feather, **KEEP)


def _extend(_: Studio, __: Model) -> None:
    across = st.columns(2, gap="small")
    for place, side in enumerate(form.SIDES):
        across[place % 2].number_input(side.capitalize(), 0, MAX_MARGIN, step=STEP, key=form.margin_key(side), **KEEP)
    with st.container(horizontal=True, gap="xsmall", key="margins"):
        for percent in (25, 50):
            st.button(
                f"+ {percent} %",
                width="stretch",
                key=f"margins-{percent}",
                help=f"{percent} % of its size at every side",
                on_click=actions.extend,
                args=(percent, STEP),
            )
    width, height = size_of(state.image)
    more = [state[form.margin_key(side)] for side in form.SIDES]
    st.html(f'<p class="tokens left">Becomes {width + more[0] + more[2]} × {height + more[1] + more[3]}</p>')
    problems.under("outpaint")


def _strength(advice: str) -> None:
    st.slider("Strength", 0.05, 1.0, step=0.05, key="strength", help=advice, **KEEP)
    problems.under("strength")
