"""Segmentation models as data: which one is used, and what is said when there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import constants

from pipeline.errors import ModelUnavailable
from pipeline.models.registry import ROOT
from pipeline.models.segmenters import RECORDS, Segmenter, chosen
from tests.models.weight_files import write


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def place(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    write(folder / "model.safetensors", {"weight": (4, 4)})
    return folder


def fetched(hub: Path, repository: str, kind: str) -> Path:
    """A repository in the hub's cache, as `hf download` leaves it."""
    home = hub / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    return place(home / "snapshots" / "c0ffee", kind)


def test_every_record_has_its_licence_its_size_and_a_command_and_stands_in_the_documents() -> None:
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    assert len({record.id for record in RECORDS}) == len(RECORDS)
    for record in RECORDS:
        assert record.licence.name == "Apache-2.0"
        assert record.download_bytes > 10**8
        assert record.command == f"hf download {record.id} config.json model.safetensors"
        link, size = f"[{record.name}]({record.licence.url})", f"{record.download_bytes / 1e6:.0f} MB"
        assert f"| {link} | {record.licence.name} | {size} | `{record.command}` |" in page


def test_without_any_the_sentence_names_one_its_size_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        chosen(tmp_path)
    assert "none is on this computer" in caught.value.info.message
    assert RECORDS[0].command in caught.value.info.remedy
    assert "156 MB" in caught.value.info.remedy


def test_what_the_hub_s_cache_has_is_used_in_the_order_of_the_records(tmp_path: Path, hub: Path) -> None:
    base = fetched(hub, "facebook/sam-vit-base", "sam")
    assert chosen(tmp_path) == Segmenter("facebook/sam-vit-base", base, "sam")
    fetched(hub, "facebook/sam2.1-hiera-tiny", "sam2_video")
    assert (chosen(tmp_path).name, chosen(tmp_path).kind) == ("facebook/sam2.1-hiera-tiny", "sam2")


def test_one_s_own_goes_first_and_what_is_none_is_passed_over(tmp_path: Path, hub: Path) -> None:
    fetched(hub, "facebook/sam-vit-base", "sam")
    place(tmp_path / "sams" / "a-language-model", "llama")
    (place(tmp_path / "sams" / "half", "sam") / "model.safetensors").unlink()
    (place(tmp_path / "sams" / "torn", "sam") / "config.json").write_text("{")
    (tmp_path / "sams" / "notes.txt").write_text("x")
    assert chosen(tmp_path).name == "facebook/sam-vit-base"
    place(tmp_path / "sams" / "mine", "sam2")
    assert (chosen(tmp_path).name, chosen(tmp_path).kind) == ("mine", "sam2")
