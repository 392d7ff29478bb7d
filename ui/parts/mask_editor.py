"""Paints which part of a picture is drawn anew, by hand or with a click on a thing, or takes it from a file."""

from __future__ import annotations

import secrets
from pathlib import Path

import streamlit as st

from pipeline.errors import ModelUnavailable
from pipeline.inputs import size_of
from pipeline.studio import Studio
from ui import actions
from ui.parts import problems, text
from ui.parts.told import told

HERE = Path(__file__).parent
KINDS = ("png", "webp", "tif", "bmp", "gif")
state = st.session_state

_editor = st.components.v2.component(
    "darkroom_mask",
    html=(HERE / "mask_editor.html").read_text(encoding="utf-8"),
    css=(HERE / "mask_editor.css").read_text(encoding="utf-8"),
    js="".join((HERE / name).read_text(encoding="utf-8") for name in ("mask_paper.js", "mask_editor.js")),
)


def opener(studio: Studio) -> None:
    """The button that opens the editor, beside what is painted so far."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="mask-row", wrap=False):
        if state.mask is not None:
            st.html(
                f'<img class="mask" src="{text.upload_url(state.mask)}" alt="The mask: white is drawn anew">',
                width="content",
            )
        label = "Paint the part" if state.mask is None else "Paint on"
        if st.button(label, icon=":material/brush:", key="paint", width="stretch"):
            state.painting, state.opening = True, secrets.token_hex(4)
    if state.get("painting"):  # also when something else has the page drawn anew, such as a picture that is finished
        _dialog(studio)


def _close() -> None:
    state.painting = False


@st.dialog("Paint the part", width="large", icon=":material/brush:", on_dismiss=_close)
def _dialog(studio: Studio) -> None:
    width, height = size_of(state.image)
    key = f"mask-of-{state.image}-{state.setdefault('masks_taken', 0)}"
    data = {
        "opening": f"{key}-{state.opening}",
        "src": text.upload_url(state.image),
        "mask": text.upload_url(state.mask) if state.mask else "",
        "width": width,
        "height": height,
        "feather": state.mask_feather,
        "uploads": text.UPLOADS,
        "post": f"{text.UPLOADS}?as=mask",
        "select": f"{text.upload_url(state.image)}/select",
        "needs": _needs(studio),
    }

    def painted() -> None:
        state.mask = told(key, "mask") or None

    def done() -> None:
        state.problem, state.painting = None, False

    if _editor(key=key, data=data, on_mask_change=painted, on_done_change=done).done:
        st.rerun()
    with st.popover("From a file", icon=":material/file_open:", type="tertiary"):
        _upload(studio)


def _needs(studio: Studio) -> str:
    """Why nothing can be selected with a click, and what to do; empty when it can."""
    try:
        studio.models.segmenter()
    except ModelUnavailable as error:
        return error.info.sentence
    return ""


def _upload(studio: Studio) -> None:
    key = f"mask-file-{state.masks_taken}"

    def take() -> None:
        if (file := state.get(key)) is not None:
            actions.take_mask(studio, file.getvalue())
            state.masks_taken += state.problem is None

    st.html('<p class="card">A picture of the same size: what is white in it is drawn anew.</p>')
    st.file_uploader("A mask", KINDS, key=key, on_change=take, label_visibility="collapsed")
    problems.under("mask")
