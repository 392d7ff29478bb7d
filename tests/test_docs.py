"""The documents against the code that they describe."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from pydantic.fields import FieldInfo

from pipeline.errors import DarkroomError
from pipeline.models.registry import ROOT
from pipeline.settings import Settings

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("demo/**/*.md")])
NEEDED_BY_OTHERS = {"accelerate", "numpy", "python-multipart", "peft", "sentencepiece", "protobuf"}
"""Imported by diffusers (accelerate, and peft for LoRAs), by the demo's training, by FastAPI's forms, and by
transformers for vocabularies that come as `spiece.model`."""
SHARED = {"google": ["google-genai"]}
"""Names below which several packages lie, and the one that is meant."""
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shown(field: FieldInfo) -> str:
    """A default as one writes it into a variable."""
    value = field.default
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def imported(tree: ast.Module) -> Iterator[str]:
    """Names of the top-level modules that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def packages(sources: Iterable[Path]) -> set[str]:
    """The packages that files import."""
    modules = {module for path in sources for module in imported(ast.parse(path.read_text(encoding="utf-8")))}
    homes = packages_distributions() | SHARED
    return {canonicalize_name(homes[module][0]) for module in modules if module in homes} - {"pydantic-core"}


def pinned(name: str) -> set[str]:
    """The packages of a file of requirements."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in LINK.findall(text):
        if not target.startswith(("http://", "https://")):
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_reference_with_its_default_and_meaning(name: str) -> None:
    field, variable = Settings.model_fields[name], f"DARKROOM_{name.upper()}"
    default = f" `{shown(field)}` " if shown(field) else " "
    row = f"| `{variable}` |{default}| {field.description} |"
    assert row in (ROOT / "docs/settings.md").read_text(encoding="utf-8").splitlines()
    assert f"#{variable}={shown(field)}" in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("kind", DarkroomError.__subclasses__(), ids=lambda kind: kind.code)
def test_every_error_has_a_section_that_says_what_to_do(kind: type[DarkroomError]) -> None:
    assert f"### `{kind.code}`" in (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")


def test_every_package_that_the_studio_imports_is_pinned_and_every_pinned_one_is_needed() -> None:
    of_providers = set((ROOT / "pipeline" / "hosted").rglob("*.py"))
    sources = {ROOT / "app.py", *(path for room in ("ui", "api", "pipeline") for path in (ROOT / room).rglob("*.py"))}
    used, used_there = packages(sources - of_providers), packages(of_providers)
    base, hosted = pinned("requirements.txt"), pinned("requirements-hosted.txt")
    assert used <= base
    assert used_there <= base | hosted
    assert base - NEEDED_BY_OTHERS <= used | used_there
    assert hosted <= used_there - base
