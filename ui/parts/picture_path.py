"""Where a picture's file is: below the outputs folder for the eye, in full on hover and to copy."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

_path = st.components.v2.component(
    "darkroom_path",
    html='<p><span class="path"></span><button type="button">Copy path</button></p>',
    css=(HERE / "picture_path.css").read_text(encoding="utf-8"),
    js=(HERE / "picture_path.js").read_text(encoding="utf-8"),
)


def draw(path: Path, outputs: Path) -> None:
    """The file at `path`, which is mostly in `outputs`."""
    short = path.relative_to(outputs) if path.is_relative_to(outputs) else path
    _path(key="picture-path", data={"short": str(short), "full": str(path)})
