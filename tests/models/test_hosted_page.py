"""docs/hosted.md against the records of `hosted.toml`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.hosted_tables import PAGE, tables, written
from pipeline.hosted.keys import host
from pipeline.models.registry import Registry

TEXT = PAGE.read_text(encoding="utf-8")
SHIPPED = Registry.read()
ROWS = [row for rows in tables(SHIPPED).values() for row in rows]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("`")[1])
def test_every_provider_and_every_model_stands_in_its_table(row: str) -> None:
    assert row in TEXT.splitlines()


def test_the_tables_are_those_of_the_records_and_have_nothing_that_is_gone() -> None:
    assert written(TEXT, tables(SHIPPED)) == TEXT


def test_the_records_that_the_page_shows_can_be_read_and_name_their_provider(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    own = tmp_path / "hosted.toml"
    own.write_text(example, encoding="utf-8")
    read = Registry.read(own_hosted=own)
    added = [model for model in read.hosted if model not in SHIPPED.hosted]
    assert {host(read.provider(model).base_url) for model in added} == {"ark.ap-southeast.bytepluses.com"}
