"""The files of a model: whether they are here, and the way to get them."""

from __future__ import annotations

import streamlit as st

from pipeline.models.files.fetch import FetchState
from pipeline.models.files.stored import Inventory
from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio
from ui import actions
from ui.parts import text

_SECONDS = 1.0


def draw(studio: Studio, record: ModelRecord, files: Inventory) -> None:
    """Nothing when the files are here; else the button that downloads them, or how far that is."""
    if files.here:
        return
    now = _state(studio, record)
    if now is None or now.is_over:
        _offer(studio, record, files, now)
    else:
        _follow(studio, record)


def _follow(studio: Studio, record: ModelRecord) -> None:
    """A download under way, which is looked at every second until it is over."""

    @st.fragment(run_every=_SECONDS, key=f"weights-{record.id}")
    def look() -> None:
        now = _state(studio, record)
        if now is None or now.is_over:
            st.rerun()
        _progress(studio, now)

    look()


def _offer(studio: Studio, record: ModelRecord, files: Inventory, last: FetchState | None) -> None:
    """The button, with how much there is to get, and why the last attempt came to nothing."""
    if last is not None and last.error is not None:
        st.html(f'<p class="problem" role="alert">{text.plain(last.error.sentence)}</p>')
    total = files.bytes_total or record.download_bytes
    begun = f"Go on: {text.size(files.bytes_here)} of {text.size(total)} are here"
    label = begun if files.bytes_here else f"Download {text.size(total)}"
    st.button(
        label,
        icon=":material/download:",
        key=f"fetch-{record.id}",
        width="stretch",
        help="Generating downloads it too; this does only that.",
        on_click=actions.fetch,
        args=(studio, record.id),
    )


def _progress(studio: Studio, now: FetchState) -> None:
    part = now.done / now.total if now.total else 0.0
    st.progress(min(part, 1.0), _pace(now) if now.total else "Asking the hub …")
    st.button(
        "Stop the download",
        icon=":material/close:",
        key=f"stop-fetch-{now.model}",
        width="stretch",
        help="What is here stays; it can go on later.",
        on_click=studio.models.cancel_fetch,
        args=(now.model,),
    )


def _pace(now: FetchState) -> str:
    speed = f" · {text.size(int(now.bytes_per_second))}/s" if now.bytes_per_second else ""
    left = "" if now.seconds_left is None else f" · {text.left(now.seconds_left)}"
    return f"{text.size(now.done)} of {text.size(now.total)}{speed}{left}"


def _state(studio: Studio, record: ModelRecord) -> FetchState | None:
    return next((state for state in studio.models.fetches() if state.model == record.id), None)
