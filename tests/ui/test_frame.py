"""The page that a browser gets first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.ui.conftest import Server, settled
from ui import frame

SCRIPTS = """() => performance.getEntriesByType("resource").map(entry => entry.name.split("/").pop())
    .filter(name => name.endsWith(".js"))"""

LATER = ("StreamlitSyntaxHighlighter", "hastscript")
"""Large, and only for what is folded away."""


@pytest.mark.parametrize("element", sorted({element for elements in frame.ELEMENTS.values() for element in elements}))
def test_every_element_that_is_announced_is_one_that_streamlit_has(element: str) -> None:
    assert frame.chunks([element])


@pytest.mark.parametrize("address", frame.ELEMENTS)
def test_what_a_page_begins_with_is_announced_with_all_that_it_imports(
    address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(path=address)
    settled(page)
    late = [name for name in page.evaluate(SCRIPTS) if name not in frame.page(address)]
    assert [name for name in late if not name.startswith(LATER)] == []


def test_nothing_is_announced_twice() -> None:
    names = [part.partition('"')[0] for part in frame.page("/").split("./static/js/")[1:]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("js/index.", "text/javascript"), ("css/index.", "text/css"), ("media/MaterialSymbols", "font/woff2")],
)
def test_a_part_is_served_as_streamlit_has_it_and_kept_for_good(server: Server, name: str, kind: str) -> None:
    address = next(address for address in frame.parts() if address.startswith(name))
    answer = server.get(f"/static/{address}")
    assert answer.content == frame.parts()[address].read_bytes()
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("name", ["js/none.js", "js", "..%2Findex.html"])
def test_nothing_else_is_served_among_the_parts(server: Server, name: str) -> None:
    assert server.get(f"/static/{name}").status_code == 404
