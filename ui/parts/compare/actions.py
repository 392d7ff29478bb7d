"""What the page's buttons do: callbacks, which Streamlit runs before it draws the page again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import streamlit as st

from pipeline.compare.comparisons import ComparisonState
from pipeline.compare.grid import Comparison
from pipeline.compare.sheet import read_comparison
from pipeline.errors import DarkroomError, ErrorInfo
from pipeline.request import MAX_SEED
from pipeline.studio import Studio
from ui import hosted
from ui.actions import DOUBLE_CLICK_SECONDS
from ui.parts.compare import choices, form

ADDRESS = "comparison"
"""Under which the address names the comparison that is open."""
FILE = "file"
"""The field that an uploaded file's problem has."""
state = st.session_state


def begin(studio: Studio) -> None:
    """Fill the form of a new session, and say what is wrong with it as it is."""
    state.setdefault("problem", None)
    if "compare_way" not in state:
        here = [record.id for record in studio.models.records if studio.models.inventory(record.id).here]
        first = studio.default.record
        here.sort(key=lambda model: model != first.id)
        state.update(form.blank(first, here))
    _mend(studio)
    live = _wrong()
    if live or state.get("compare_live"):
        state.problem = live
    state.compare_live = live is not None


def _mend(studio: Studio) -> None:
    """Put right what is not what it should be; what is as it should be is not touched, since that costs a redraw."""
    for key, value in form.mended(state, choices.offered(studio), studio.default.record).items():
        if state[key] != value:
            state[key] = value


def _wrong() -> ErrorInfo | None:
    try:
        form.without_prompt(state)
    except DarkroomError as error:
        return error.info
    return None


def start(studio: Studio, client: str) -> None:
    """Begin what the form asks for, or say what is wrong with it."""
    _try(lambda: _start(studio, client, form.to_comparison(state)))


def again(studio: Studio, client: str, comparison: Comparison) -> None:
    """Begin a comparison that was made before, or that a file holds."""
    _try(lambda: _start(studio, client, comparison))


def edit(studio: Studio, comparison: Comparison) -> None:
    """Put a comparison into the form and go there."""

    def fill() -> None:
        state.update(form.filled(comparison, studio.model(comparison.base.model)))
        leave()

    _try(fill)


def leave() -> None:
    """Go back to the form and the earlier comparisons."""
    st.query_params.pop(ADDRESS, None)


def look(comparison_id: str) -> None:
    """Open a comparison."""
    state.problem = None
    st.query_params[ADDRESS] = comparison_id


def cancel(studio: Studio, comparison_id: str) -> None:
    """Stop what is not finished."""
    _try(lambda: studio.comparisons.cancel(comparison_id))


def resume(studio: Studio, comparison_id: str) -> None:
    """Make the pictures that are missing."""

    def make() -> None:
        _check_agreed(studio, studio.comparisons.find(comparison_id).comparison)
        studio.comparisons.resume(comparison_id)

    _try(make)


def forget(studio: Studio, comparison_id: str) -> None:
    """Take a comparison off the list; its pictures stay."""
    _try(lambda: studio.comparisons.forget(comparison_id))


def read_file() -> None:
    """Read the comparison that the uploaded file holds, or say why that cannot be."""
    state.problem, state.compare_file_holds = None, None
    uploaded = state.compare_file
    if uploaded is None:
        return
    try:
        state.compare_file_holds = read_comparison(uploaded.getvalue())
    except DarkroomError as error:
        state.problem = error.info.model_copy(update={"field": FILE})


def tick() -> None:
    """Compare the precisions whose boxes are ticked."""
    chosen = [name for name in form.PRECISIONS if state.get(form.box_key(name))]
    state[form.values_key("columns", "quantization")] = chosen


def draw_seeds(key: str) -> None:
    """Write four seeds by chance into a field."""
    state[key] = ", ".join(str(secrets.randbelow(MAX_SEED + 1)) for _ in range(4))


def drop_kept() -> None:
    """Forget the settings of a file for which the form has no control."""
    state.compare_kept = {}


def _start(studio: Studio, client: str, comparison: Comparison) -> None:
    """Begin, and open it; clicks that follow within a second mean the same comparison."""
    _check_agreed(studio, comparison)
    now = time.monotonic()
    if now - state.get("compare_started_at", -DOUBLE_CLICK_SECONDS) < DOUBLE_CLICK_SECONDS:
        return
    state.compare_started_at = now
    begun: ComparisonState = studio.comparisons.start(comparison, client=client)
    st.query_params[ADDRESS] = begun.id


def _check_agreed(studio: Studio, comparison: Comparison) -> None:
    """Raise `InvalidRequest` for a provider to whom nobody has agreed yet that prompts go."""
    for name in {cell.request.model for cell in comparison.cells()}:
        hosted.check_agreed(studio, name)


def _try(action: Callable[[], object]) -> None:
    state.problem = None
    try:
        action()
    except DarkroomError as error:
        state.problem = error.info
