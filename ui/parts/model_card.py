"""What stands below the model's name: what it is, whose terms, and why it is the one."""

from __future__ import annotations

import streamlit as st

from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio
from ui.parts import text


def show(studio: Studio, record: ModelRecord) -> None:
    """A few small lines about the chosen model, and which one runs when none is chosen."""
    licence = f'<a href="{text.plain(record.licence.url)}" target="_blank">{text.plain(record.licence.name)}</a>'
    size = f"{record.download_bytes / 1e9:.1f} GB to download" if record.local is None else text.parameters(record)
    gated = " · gated" if record.licence.gated else ""
    st.html(f'<p class="card">{size} · {licence}{gated}</p><p class="card why">{_why(studio, record)}</p>')


def _why(studio: Studio, record: ModelRecord) -> str:
    choice = studio.default
    if record.id == choice.record.id:
        return text.plain(f"{choice.reason} {choice.remedy}".strip())
    return text.plain(f"{record.summary} The default here is {choice.record.name}.")
