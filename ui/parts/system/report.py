"""What belongs into a report of a problem, as text: without secrets and without a user's own folders."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pipeline.doctor import Check
from pipeline.report.facts import Report
from pipeline.report.markdown import written
from pipeline.studio import Studio
from ui.parts import text


def draw(studio: Studio, checks: Sequence[Check]) -> None:
    """The versions, and the report to copy."""
    st.html('<h2 class="head">Versions</h2>')
    versions = "".join(f"<dt>{name}</dt><dd>{text.plain(one)}</dd>" for name, one in studio.engine.versions.items())
    st.html(f'<dl class="recipe">{versions}</dl>' if versions else '<p class="row">Known once the engine is ready.</p>')
    with st.expander("Report of a problem", icon=":material/bug_report:"):
        st.write(
            "Checks, versions and settings to copy into a report. It names none of your folders, no prompt and no "
            "token. `python -m pipeline doctor` writes the same, with pictures that prove each device."
        )
        page = written(Report.gather(studio.settings, checks, studio.engine))
        st.code(page, language="markdown", wrap_lines=True, height=240)
