"""The doctor's findings, those first that want something done."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pipeline.doctor import Check
from ui.parts import text

MARKS = {True: "fine", False: "wrong", None: "open"}


def draw(checks: Sequence[Check]) -> None:
    """Every check with its finding and, where there is one, its remedy."""
    st.html('<h2 class="head">Checks</h2>')
    ordered = sorted(checks, key=lambda check: (check.ok is not False, check.ok is True))
    st.html("".join(_check(check) for check in ordered))
    st.button("Look again", icon=":material/refresh:")


def _check(check: Check) -> str:
    mark = MARKS[check.ok]
    remedy = f"<p>{text.plain(check.remedy)}</p>" if check.remedy else ""
    return (
        f'<div class="check {mark}"><i role="img" aria-label="{mark}"></i><div>'
        f"<b>{text.plain(check.name)}</b><p>{text.plain(check.finding)}</p>{remedy}</div></div>"
    )
