"""What the studio's own files take on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from pipeline.studio import Studio
from ui.parts import text
from ui.parts.system import actions


def draw(studio: Studio) -> None:
    """The sizes, and the way to clear what can be made again."""
    st.html('<h2 class="head">Files</h2>')
    data = studio.settings.data_folder
    quantised = sum(entry.bytes for entry in studio.models.cached())
    sizes = {
        "Pictures": _bytes(studio.settings.outputs, but=data),
        "Deleted pictures": _bytes(data / "trash"),
        "Thumbnails": _bytes(data / "thumbnails"),
        "Queue, index and logs": sum(entry.stat().st_size for entry in data.glob("studio*") if entry.is_file()),
        "Quantised components": quantised,
    }
    rows = "".join(f"<dt>{name}</dt><dd>{text.size(size)}</dd>" for name, size in sizes.items())
    st.html(f'<dl class="recipe">{rows}</dl>')
    with st.popover("Clear the quantised cache", icon=":material/delete:", disabled=not quantised, key="clear-cache"):
        st.write(
            f"{text.size(quantised)} are deleted. The next load of those models takes longer and makes them again."
        )
        st.button("Clear", key="cleared-cache", on_click=actions.clear_cache, args=(studio,), type="primary")


def _bytes(folder: Path, but: Path | None = None) -> int:
    """Size of all files below `folder`, without those below `but`. What vanishes meanwhile is not counted."""
    total = 0
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(at, name) != but]
        total += sum(_size(os.path.join(at, name)) for name in names)  # noqa: PTH118 - thousands of them
    return total


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - thousands of them
    except OSError:
        return 0
