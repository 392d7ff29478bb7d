"""Accessibility of a page as axe-core sees it."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AT_REST = """() => !document.querySelector('[data-stale=true]') && document.getAnimations().every(
    (one) => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)"""
"""Nothing is drawn anew or fades: half-faded words have too little contrast."""
_UNFADED = "[data-stale=true] { opacity: 1 !important; transition: none !important }"
_GRAVE = {"serious", "critical"}
_STREAMLITS_OWN: frozenset[str] = frozenset()
"""Rules that Streamlit's own elements break and that we cannot mend, each with the reason beside it."""


def grave_violations(page: Page) -> list[str]:
    """What is serious or critical on the page, each as a line with the rule and the first elements at fault."""
    page.add_style_tag(content=_UNFADED)  # some pages draw themselves anew while axe looks
    page.wait_for_function(AT_REST)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:3])
        for one in found
        if one["impact"] in _GRAVE and one["id"] not in _STREAMLITS_OWN
    ]
