"""The page that a browser gets first: Streamlit's own frame, told where its server is and what it will need.

Streamlit loads the code of an element when the first one is drawn, after the script has run, and that code's imports
after that. Each page here names the elements that it begins with, so that the browser fetches them with all the rest.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import streamlit as st

STATIC = Path(st.__file__).with_name("static")
SCRIPTS = STATIC / "static" / "js"
FOREVER = {"Cache-Control": "public, immutable, max-age=31536000"}
"""How long a browser keeps what is in `parts`: a file that changes gets another name."""

_EVERYWHERE = ("Html", "BidiComponent", "Button", "TextInput")
ELEMENTS: dict[str, tuple[str, ...]] = {
    "/": (*_EVERYWHERE, "TextArea", "Selectbox", "Slider", "NumberInput", "ButtonGroup", "FileUploader"),
    "/gallery": (*_EVERYWHERE, "MenuButton", "ButtonGroup", "Pagination"),
    "/compare": (*_EVERYWHERE, "TextArea", "Selectbox", "Multiselect", "NumberInput", "ButtonGroup"),
    "/models": (*_EVERYWHERE, "ButtonGroup", "PageLink"),
    "/system": (*_EVERYWHERE, "Selectbox", "Spinner"),
}
"""Address of a page → Streamlit's names of what it begins with."""

_IMPORTS = re.compile(r'(?:from|import)"\./([^"]+\.js)"')
_SERVER = "<script>window.__streamlit = { BACKEND_BASE_URL: location.origin };</script>"
"""Without it a browser that begins at `/gallery` looks for the server below that first, is answered 404, and says so in
its console."""


@cache
def parts() -> dict[str, Path]:
    """What the frame consists of: address below `/static/` → file."""
    folder = STATIC / "static"
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def media_type(path: Path) -> str:
    """What a browser is told that a part is. Scripts are named here: some systems call them plain text."""
    return (
        "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    )


@cache
def page(address: str) -> str:
    """The HTML for the page at `address`, one of `ELEMENTS`."""
    html = (STATIC / "index.html").read_text(encoding="utf-8").replace("<head>", f"<head>{_SERVER}", 1)
    names = [name for name in chunks(ELEMENTS[address]) if name not in html]
    links = "".join(f'<link rel="modulepreload" crossorigin href="./static/js/{name}">' for name in names)
    return html.replace("</head>", f"{links}</head>", 1)


def chunks(elements: Iterable[str]) -> list[str]:
    """File names of the code of `elements` and of all that it imports, each once."""
    found: dict[str, None] = {}
    waiting = [path.name for element in elements for path in sorted(SCRIPTS.glob(f"{element}.*.js"))]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += _imports(name)
    return list(found)


def _imports(name: str) -> list[str]:
    return _IMPORTS.findall((SCRIPTS / name).read_text(encoding="utf-8"))
