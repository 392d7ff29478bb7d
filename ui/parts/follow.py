"""Maps that the picture is to follow: edges, depth or pose, brought along or found here in an ordinary picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pipeline.errors import ModelUnavailable
from pipeline.inputs import MAX_CONTROLS, Task
from pipeline.models.controlnets import FAMILIES, ControlNetRecord, net_in, why_no_controls
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model
from pipeline.studio import Studio
from ui import form, map_actions, maps
from ui.fields import KEEP
from ui.parts import one_of, problems, text
from ui.parts.source import KINDS

state = st.session_state
WHAT = {True: "Its edges", False: "It is a map"}
MOST = 1.0
"""The largest threshold on the page; what is sharper than that is an edge by any measure."""


def draw(studio: Studio, record: Model) -> None:
    """The section of the form: nothing for a model without nets, while no map is there."""
    place = st.container(key="follow", gap="xsmall")
    with place:
        nets = maps.offered(studio.models.controlnets, record)
        for number in state.maps:
            _map(studio, record, number, nets)
        reason = _why_not(record, nets)
        if reason and state.maps:
            st.html(f'<p class="tokens over" role="status">{text.plain(reason)}</p>')
        if not reason and len(state.maps) < _most(record):
            _drop(studio)
        problems.under("controls")


def _most(record: Model) -> int:
    """How many maps a model can follow at once."""
    if isinstance(record, HostedModel):
        return 0
    return MAX_CONTROLS if FAMILIES[record.family].several else 1


def _timed(record: Model) -> bool:
    """Whether a map can be followed in a part of the steps."""
    return not isinstance(record, HostedModel) and FAMILIES[record.family].timed


def _why_not(record: Model, nets: Sequence[ControlNetRecord]) -> str:
    """Why no map can be followed now, as a sentence; empty when one can."""
    if isinstance(record, HostedModel):
        return f"{record.name} follows no maps."
    task: Task = "text" if state.image is None else form.WAYS[state.way]
    if reason := why_no_controls(record, task):
        return reason
    return "" if nets else f"There is no ControlNet for {record.name} yet."


def _drop(studio: Studio) -> None:
    label = "Follow another map" if state.maps else "Follow a map"
    with st.expander(label, icon=":material/polyline:", type="compact", key="follow-drop"):
        taken = state.setdefault("pictures_taken", 0)
        key = f"map-{taken}"  # another each time, so that no file is kept

        def take() -> None:
            file = state.get(key)
            # The browser may still send the file of an uploader that is gone with the next click.
            if file is not None and state.pictures_taken == taken:
                state.pictures_taken += 1
                map_actions.take_map(studio, file.getvalue())

        st.file_uploader("A map, or a picture with edges", KINDS, key=key, on_change=take, label_visibility="collapsed")


def _map(studio: Studio, record: Model, number: int, nets: Sequence[ControlNetRecord]) -> None:
    """One map, small, its net, how it is made, and how far it is followed."""
    field, known = partial(maps.key, number=number), {net.id: net for net in nets}
    net = known.get(state[field("net")]) or next(iter(nets), None)
    if net is not None:
        state[field("net")] = net.id
        _make(studio, number, net)
    _card(number)
    if net is None:
        return
    if len(nets) > 1:
        st.selectbox("ControlNet", known, key=field("net"), format_func=lambda name: known[name].name, **KEEP)
    _missing(net)
    if maps.finds_edges(net):
        _edges(studio, number)
    how = "How strongly the map is followed: 1 is as the net was trained, 0 not at all."
    st.slider("How strongly", 0.0, 2.0, step=0.05, key=field("scale"), help=how, **KEEP)
    if _timed(record):
        when = (
            "The first steps lay out the picture, the last ones draw details: an early end leaves those to the words."
        )
        st.slider("Part of the steps", 0.0, 1.0, step=0.05, key=field("span"), help=when, **KEEP)


def _make(studio: Studio, number: int, net: ControlNetRecord) -> None:
    """The map anew where another net or another size asks for another one."""
    field = partial(maps.key, number=number)
    if state[field("edges")] and not maps.finds_edges(net):
        state[field("edges")] = False
        map_actions.draw_map(studio, number)
    elif state[field("edges")] and state[field("size")] != form.size_of(state):
        map_actions.draw_map(studio, number)


def _card(number: int) -> None:
    """The map as the net sees it, and the way to be rid of it."""
    shown, notes = state[maps.key("image", number)], state[maps.key("notes", number)]
    told = "".join(f"<p>{text.plain(note)}</p>" for note in ("The map that is followed", *notes))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"row-map-{number}", wrap=False):
        picture = f'<img src="{text.upload_url(shown)}" alt="The map to follow">'
        st.html(f'<div class="source map">{picture}<div>{told}</div></div>')
        st.button(
            "Follow it no more",
            icon=":material/close:",
            type="tertiary",
            key=f"map-away-{number}",
            help="Draw without this map",
            on_click=map_actions.drop_map,
            args=(number,),
        )


def _edges(studio: Studio, number: int) -> None:
    """Whether the picture's edges are found, and which of them count."""
    field, redraw = partial(maps.key, number=number), partial(map_actions.draw_map, studio, number)
    one_of.draw("What is followed", WHAT, field("edges"), then=redraw, labelled=False)
    with st.container():
        if state[field("edges")]:
            advice = "A line begins where an edge is stronger than the second, and goes on while it is above the first."
            key = field("between")
            st.slider("Edges", 0.0, MOST, step=0.01, key=key, help=advice, on_change=redraw, **KEEP)


def _missing(net: ControlNetRecord) -> None:
    """That the net's files are not on this computer, and how to bring them."""
    place = st.container()
    if net.place is not None:
        return
    try:
        net_in(net)
    except ModelUnavailable as error:
        place.html(f'<p class="tokens over" role="status">{text.plain(error.info.sentence)}</p>')
