"""One wish with several models or settings, as one labelled sheet; and the quantisation lab."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui import shared
from ui.parts import problems
from ui.parts.compare import actions, controls, earlier, replay, result, start

studio, client = shared.studio(), shared.client()
st.html(Path(__file__).parent / "assets" / "compare.css")
problems.begin()
here = result.find(studio)
actions.begin(studio)

if here:
    result.show(studio, client, here)
else:
    st.title("Compare")
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        controls.ways()
    with right:
        replay.draw(studio, client)
    controls.draw(studio)
    start.draw(studio, client)
    earlier.show(studio, client)
