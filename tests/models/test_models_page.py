"""docs/models.md against the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.engine.check import check
from pipeline.models.architectures import ARCHITECTURES
from pipeline.models.registry import ROOT, ModelRecord, Registry

PAGE = (ROOT / "docs/models.md").read_text(encoding="utf-8")
SHIPPED = Registry.read()
GIB = 2**30
WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}


def weights(record: ModelRecord, *, four_bits: bool) -> str:
    """GiB of all components, those that are worth it in four bits."""
    total = 0
    for name, key in record.components.items():
        dtype = record.dtypes.get(name, record.dtype)
        precision = "nf4" if four_bits and name in record.nf4 else "none"
        total += ARCHITECTURES[key].weight_bytes(WIDTHS[dtype], precision, float16=dtype == "float16")
    return f"{total / GIB:.1f}" if total >= GIB / 10 else f"{total / GIB:.2f}"


def row(record: ModelRecord) -> str:
    """The record as a line of the table."""
    licence = f"[{record.licence.name}]({record.licence.url})"
    download = f"{record.download_bytes / 1e9:.1f}" if record.download_bytes else "–"
    four_bits = weights(record, four_bits=True) if record.nf4 else "–"
    facts = [licence, record.licence.commercial, "yes" if record.licence.gated else "no", download]
    named = f"**{record.name}**<br>`{record.id}`<br>{record.summary}"
    return f"| {' | '.join([named, *facts, weights(record, four_bits=False), four_bits])} |"


@pytest.mark.parametrize("record", SHIPPED.records, ids=lambda record: record.id)
def test_every_model_stands_in_the_table_with_its_figures(record: ModelRecord) -> None:
    assert row(record) in PAGE.splitlines()


def test_the_table_has_no_model_that_is_gone() -> None:
    named = re.findall(r"^\| \*\*.*?<br>`(.+?)`<br>", PAGE, re.MULTILINE)
    assert named == [record.id for record in SHIPPED.records]


def test_the_record_that_the_page_shows_is_complete_and_passes_the_self_test(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    own = tmp_path / "models.toml"
    own.write_text(example, encoding="utf-8")
    [record] = Registry.read(own).records[len(SHIPPED.records) :]
    assert [finding for finding in check(record) if not finding.ok] == []
