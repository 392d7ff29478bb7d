"""The list of quantised components, read without torch, and deleting them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.models.cache import MANIFEST, FileFacts, Manifest, clear, list_entries, model_folder


def entry(cache: Path, model: str = "acme/tiny", component: str = "transformer", size: int = 1000) -> Path:
    """An entry as the engine writes it."""
    folder = model_folder(cache, model) / f"{component}.nf4.bfloat16.cpu"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(size))
    manifest = Manifest(
        model=model,
        component=component,
        precision="nf4",
        facts={},
        created=datetime(2026, 1, 2, tzinfo=UTC),
        seconds=12.5,
        files={"model.safetensors": FileFacts(size=size, checksum="")},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return folder


def test_without_a_cache_there_is_nothing_to_list_or_clear(tmp_path: Path) -> None:
    assert list_entries(tmp_path / "none") == []
    assert clear(tmp_path / "none") == 0


def test_entries_are_listed_by_model_and_component(tmp_path: Path) -> None:
    entry(tmp_path, "b/model")
    entry(tmp_path, "a/model", "vae", size=5)
    entry(tmp_path, "a/model", "transformer")
    found = list_entries(tmp_path)
    assert [(one.model, one.component) for one in found] == [
        ("a/model", "transformer"),
        ("a/model", "vae"),
        ("b/model", "transformer"),
    ]
    assert found[1].bytes == 5
    assert (found[1].precision, found[1].seconds) == ("nf4", 12.5)


def test_one_models_entries_can_be_cleared(tmp_path: Path) -> None:
    gone, kept = entry(tmp_path, "a/model"), entry(tmp_path, "b/model")
    assert clear(tmp_path, "a/model") > 1000
    assert not gone.exists()
    assert kept.exists()
    assert clear(tmp_path, "a/model") == 0


def test_clearing_all_takes_damaged_and_unfinished_ones_too(tmp_path: Path) -> None:
    damaged = entry(tmp_path, "a/model")
    (damaged / MANIFEST).write_text("{")
    unfinished = entry(tmp_path, "b/model")
    unfinished.rename(unfinished.with_name(".half"))
    assert len(list_entries(tmp_path)) == 1
    assert clear(tmp_path) > 2000
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("model", ["../../outside", "/etc", "a/b", "a--b", "..", "Ünïcode ✓", "x" * 500])
def test_the_name_of_a_model_never_leaves_the_cache(tmp_path: Path, model: str) -> None:
    folder = model_folder(tmp_path, model)
    assert folder.resolve().parent == (tmp_path / "quantized").resolve()
    entry(tmp_path, model)
    assert [one.model for one in list_entries(tmp_path)] == [model]


def test_models_with_similar_names_do_not_share_entries(tmp_path: Path) -> None:
    assert model_folder(tmp_path, "a/b") != model_folder(tmp_path, "a-b")
