"""How the engine is: a line at the foot of the sidebar, and a notice when something is wrong."""

from __future__ import annotations

import streamlit as st

from pipeline.jobs.state import EngineState
from pipeline.studio import Studio
from ui.parts import text

WORDS = {
    "off": "The engine starts with the first job",
    "starting": "Starting the engine …",
    "loading": "Loading the model …",
    "ready": "Ready",
    "busy": "Working",
    "failed": "The engine has failed",
}
_MOVING = ("starting", "loading")
_SECONDS = 1.0


def line(studio: Studio) -> None:
    """Status, device and length of the queue; looks again by itself until the engine has started."""
    every = _SECONDS if studio.engine.status in _MOVING else None

    @st.fragment(run_every=every, key="engine-line")
    def draw() -> None:
        engine = studio.engine
        if every and engine.status not in _MOVING:
            st.rerun()
        waiting = len(studio.queue())
        jobs = f" · {waiting} in the queue" if waiting else ""
        words = text.plain(f"{WORDS[engine.status]} · {engine.hardware.best.label}{jobs}")
        st.html(f'<p class="engine {engine.status}" role="status"><i></i>{words}</p>')

    with st.container(key="live-engine"):
        draw()


def trouble(studio: Studio) -> None:
    """Say above everything else why nothing can be generated, when that is so."""
    engine: EngineState = studio.engine
    if engine.status == "failed" and engine.error is not None:
        st.error(text.escaped(engine.error.sentence), icon=":material/error:")
        if engine.error.details:
            with st.expander("Details"):
                st.code(engine.error.details, language=None)
