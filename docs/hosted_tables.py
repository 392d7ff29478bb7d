"""Writes the tables of docs/hosted.md from the records: `python -m docs.hosted_tables`, after a record has changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.hosted.keys import host
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.registry import Registry

PAGE = Path(__file__).with_name("hosted.md")
TASKS = {"text": "words", "image": "a picture", "inpaint": "a mask"}


def tables(registry: Registry) -> dict[str, list[str]]:
    """The lines of each table by the first word of its heading."""
    gone = [model for model in registry.hosted if model.summary == "Retired."]
    return {
        "Provider": [_provider(provider) for provider in registry.providers],
        "Model": [_model(model) for model in registry.hosted if model not in gone],
        "Retired": [f"| `{model.id}` | {model.retires} | `{model.replacement}` |" for model in gone],
    }


def written(page: str, filled: dict[str, list[str]]) -> str:
    """The page with these lines in its tables."""
    for heading, lines in filled.items():
        table = re.compile(rf"^(\| {heading} \|.*\n\|[-|]+\|\n)(?:\|.*\n)*", re.MULTILINE)
        page = table.sub(lambda found, lines=lines: found[1] + _joined(lines), page)  # type: ignore[misc]
    return page


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _provider(provider: Provider) -> str:
    keys = "<br>".join(" or ".join(f"`{name}`" for name in names) for names in provider.keys) or "–"
    packages = ", ".join(f"`{name}`" for name in provider.packages) or "–"
    address = f"`{provider.base_url_variable}`" if provider.base_url_variable else "–"
    links = ", ".join(
        f"[{name}]({url})" for name, url in (("keys", provider.key_url), ("terms", provider.terms_url)) if url
    )
    return f"| **{provider.name}**<br>`{host(provider.base_url)}` | {keys} | {address} | {packages} | {links} |"


def _model(model: HostedModel) -> str:
    price = re.search(r"https://\S+\w", model.price)
    facts = [
        ", ".join(TASKS[task] for task in model.tasks),
        _sizes(model),
        ", ".join(f"`{name}`" for name in model.options) or "–",
        f"[prices]({price[0]})" if price else "–",
        str(model.retires or "–"),
    ]
    return f"| {' | '.join([f'**{model.name}**<br>`{model.id}`<br>{model.summary}', *facts])} |"


def _sizes(model: HostedModel) -> str:
    size = model.size
    if size.ratios:
        return f"{', '.join(size.ratios)} at {', '.join(size.resolutions) or f'{size.native[0]} pixels'}"
    if size.shapes:
        return ", ".join(f"{width} × {height}" for width, height in size.shapes)
    sides = f"sides of {size.min} to {size.max} in steps of {size.multiple}"
    shape = f", up to {size.max_aspect:g}:1" if size.max_aspect else ""
    return f"{sides}{shape}, {size.min_pixels / 1e6:.1f} to {size.max_pixels / 1e6:.1f} million pixels"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), tables(Registry.read())), encoding="utf-8")
