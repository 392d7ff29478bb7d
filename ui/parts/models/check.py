"""The check of a model: its button, how far it is, and what it found."""

from __future__ import annotations

import streamlit as st

from pipeline.models.checker import CheckState
from pipeline.studio import Studio
from ui import actions
from ui.parts import text

_SECONDS = 1.0
_DOING = {
    "waiting": "The check waits for another one …",
    "files": "Reading the files …",
    "access": "Asking the hub for access …",
    "self-test": "Trying classes and sizes …",
}
_MARKS = {True: "fine", False: "wrong", None: "open"}


def button(studio: Studio, model: str) -> None:
    """Begins the check."""
    st.button(
        "Check",
        icon=":material/fact_check:",
        type="tertiary",
        key=f"check-{model}",
        help="Reads its files, and tries everything that needs no weights. Nothing is downloaded.",
        on_click=actions.check,
        args=(studio, model),
    )


def result(studio: Studio, model: str) -> None:
    """What the last check found; looks again by itself until it is over."""
    state = _state(studio, model)
    if state is None:
        return

    @st.fragment(run_every=None if state.is_over else _SECONDS, key=f"check-result-{model}")
    def look() -> None:
        now = _state(studio, model) or state
        if now.is_over and not state.is_over:
            st.rerun()
        _show(now)

    look()


def _show(state: CheckState) -> None:
    lines = [_line(_MARKS[one.ok], one.name, one.finding) for one in state.findings if one.ok is not True]
    fine = sum(one.ok is True for one in state.findings)
    if state.error is not None:
        lines.append(_line("wrong", "check", state.error.sentence))
    elif not state.is_over:
        lines.append(_line("open", "", _DOING[state.doing]))
    elif fine:
        lines.insert(0, _line("fine", "", f"{fine} of {len(state.findings)} things are fine."))
    st.html(f'<div role="status">{"".join(lines)}</div>')


def _line(mark: str, name: str, finding: str) -> str:
    told = f"<b>{text.plain(name.replace('_', ' ').capitalize())}</b>" if name else ""
    return (
        f'<div class="check small {mark}"><i role="img" aria-label="{mark}"></i>'
        f"<div>{told}<p>{text.plain(finding)}</p></div></div>"
    )


def _state(studio: Studio, model: str) -> CheckState | None:
    return next((state for state in studio.models.checks() if state.model == model), None)
