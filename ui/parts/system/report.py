"""What belongs into a report of a problem, as text: without secrets and without a user's own folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from pipeline.doctor import Check
from pipeline.jobs.state import EngineState
from pipeline.models.files import hub
from pipeline.models.registry import ROOT
from pipeline.studio import Studio
from ui.parts import text

MARKS = {True: "ok", False: "WRONG", None: "note"}


def draw(studio: Studio, checks: Sequence[Check]) -> None:
    """The versions, and the report to copy."""
    st.html('<h2 class="head">Versions</h2>')
    versions = "".join(f"<dt>{name}</dt><dd>{text.plain(one)}</dd>" for name, one in studio.engine.versions.items())
    st.html(f'<dl class="recipe">{versions}</dl>' if versions else '<p class="row">Known once the engine is ready.</p>')
    with st.expander("Report of a problem", icon=":material/bug_report:"):
        st.write("Checks and versions to copy into a report. It names none of your folders and no token.")
        st.code(written(studio, checks), language=None, wrap_lines=True, height=240)


def written(studio: Studio, checks: Sequence[Check]) -> str:
    """The report of this studio."""
    settings = studio.settings
    names = {
        settings.outputs: "<outputs>",
        settings.cache: "<cache>",
        settings.weights: "<weights>",
        hub.cache_folder(): "<model cache>",
        ROOT: "<darkroom>",
        Path.home(): "<home>",
    }
    return anonymous(text_of(studio.engine, studio.default.record.id, checks), names)


def text_of(engine: EngineState, model: str, checks: Sequence[Check]) -> str:
    """The checks, the engine and the versions, a line each."""
    lines = [f"[{MARKS[check.ok]}] {check.name}: {check.finding} {check.remedy}".rstrip() for check in checks]
    lines += ["", f"Engine: {engine.status}, default model {model}, loaded {engine.model or 'none'}"]
    lines += [f"Device: {device.label}, {device.memory_total / 1e9:.1f} GB" for device in engine.hardware.devices]
    lines += [f"Error: {engine.error.code}: {engine.error.message}"] if engine.error else []
    lines += [f"{name} {version}" for name, version in engine.versions.items()]
    return "\n".join(lines)


def anonymous(report: str, names: Mapping[Path, str]) -> str:
    """`report` with names in the place of folders, the longest first: one may lie in another."""
    for folder, name in sorted(names.items(), key=lambda pair: -len(str(pair[0]))):
        if folder != folder.parent:  # the root would be in every path
            report = report.replace(str(folder), name)
    return report
