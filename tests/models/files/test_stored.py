"""The files on this disk: how much is here, whether it is sound, and its removal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest, ModelUnavailable
from pipeline.models.files import hub
from pipeline.models.files.fetch import FetchCancelled, fetch
from pipeline.models.files.stored import Inventory, inventory, remove, verify
from pipeline.models.registry import ModelRecord
from tests.hub_server import ENCODER, NEEDED, TINY, TRANSFORMER, Fault, HubServer, pipeline_files
from tests.models.files.test_fetch import record

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def folder() -> Path:
    """The downloaded model."""
    return fetch(record(), lambda _: None)[""]


@pytest.fixture
def total(server: HubServer) -> int:
    """Bytes that the model needs."""
    return sum(len(server.content(TINY, path)) for path in NEEDED)


def own(folder: Path, tmp_path: Path) -> ModelRecord:
    """The same model in a folder of the user's own."""
    return record(source=str(shutil.copytree(folder, tmp_path / "own")))


# -- inventory ---------------------------------------------------------------------------------------------------------


def test_nothing_is_here_before_a_download() -> None:
    assert inventory(record(download_bytes=10**9)) == Inventory(here=False, bytes_here=0, bytes_total=10**9)
    assert inventory(record()).bytes_total is None


def test_all_is_here_after_it(folder: Path, total: int) -> None:
    assert inventory(record()) == Inventory(here=True, bytes_here=total, bytes_total=total)


def test_what_an_interrupted_download_left_counts(server: HubServer) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=100_000))
    with pytest.raises(FetchCancelled):
        fetch(record(), lambda _: None, lambda: hub.begun_bytes(TINY) >= 100_000 and fault.held.is_set())
    found = inventory(record())
    assert not found.here
    assert found.bytes_here >= 100_000


def test_a_folder_of_one_s_own_counts_what_a_pipeline_reads(folder: Path, total: int, tmp_path: Path) -> None:
    model = own(folder, tmp_path)
    (tmp_path / "own" / "README.md").write_text("much text")
    assert inventory(model) == Inventory(here=True, bytes_here=total, bytes_total=total)


def test_a_single_file_counts_with_its_configuration(folder: Path, tmp_path: Path, server: HubServer) -> None:
    (tmp_path / "one.safetensors").write_bytes(bytes(5000))
    small = sum(len(server.content(TINY, path)) for path in NEEDED if not path.endswith(".safetensors"))
    model = record(source=str(tmp_path / "one.safetensors"), config=TINY)
    assert inventory(model).bytes_here == 5000 + small


# -- verify ------------------------------------------------------------------------------------------------------------


def test_a_fresh_download_is_sound(folder: Path) -> None:
    assert verify(record()) == []


@pytest.mark.parametrize("path", [TRANSFORMER, "tokenizer/vocab.json"])
def test_a_flipped_bit_is_found(folder: Path, path: str) -> None:
    content = bytearray((folder / path).read_bytes())
    content[-1] ^= 1
    (folder / path).resolve().write_bytes(content)
    (problem,) = verify(record())
    assert problem.file == f"{TINY}/{path}"
    assert "is damaged" in problem.problem


def test_a_missing_file_is_found(folder: Path) -> None:
    (folder / TRANSFORMER).resolve().unlink()
    (problem,) = verify(record())
    assert (problem.file, problem.problem) == (f"{TINY}/transformer/ (its weights)", "is missing")


def test_damaged_files_are_dropped_on_demand_and_only_they_are_fetched_again(folder: Path, server: HubServer) -> None:
    (folder / TRANSFORMER).resolve().write_bytes(bytes(200_000))
    (problem,) = verify(record(), drop=True)
    assert "removed" in problem.problem
    assert not hub.is_here(record())
    before = server.sent[f"{TINY}/{ENCODER}"]
    fetch(record(), lambda _: None)
    assert verify(record()) == []
    assert server.sent[f"{TINY}/{ENCODER}"] == before


def test_a_folder_of_one_s_own_is_judged_by_headers_and_nothing_is_dropped(folder: Path, tmp_path: Path) -> None:
    model = own(folder, tmp_path)
    (tmp_path / "own" / "transformer" / "config.json").write_text("{")
    problems = {problem.file.removeprefix(f"{tmp_path}/own/"): problem.problem for problem in verify(model, drop=True)}
    assert set(problems) == {"transformer/config.json", ENCODER, TRANSFORMER}  # random bytes are no safetensors
    assert (tmp_path / "own" / TRANSFORMER).is_file()


def test_a_folder_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    (problem,) = verify(record(source=str(tmp_path / "gone")))
    assert (problem.file, problem.problem) == (str(tmp_path / "gone"), "is missing")


# -- remove ------------------------------------------------------------------------------------------------------------


def test_removed_files_are_gone_and_their_bytes_told(folder: Path, cache: Path, total: int) -> None:
    assert remove(record()) == total
    assert not hub.is_here(record())
    assert not [path for path in cache.rglob("*") if "tiny" in path.name]
    assert remove(record()) == 0


def test_what_an_interrupted_download_left_is_removed(server: HubServer, cache: Path) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=100_000, times=1))
    with pytest.raises(FetchCancelled):
        fetch(record(), lambda _: None, lambda: hub.begun_bytes(TINY) >= 100_000 and fault.held.is_set())
    fault.release.set()
    assert remove(record()) >= 100_000
    assert not (cache / "models--acme--tiny").exists()


def test_a_repository_that_another_model_needs_stays(server: HubServer) -> None:
    server.add("acme/prior", pipeline_files(50_000))
    model = record(parts={"prior_": "acme/prior"})
    fetch(model, lambda _: None)
    remove(model, keep=[record(id="x", source="acme/prior")])
    assert hub.snapshot(TINY) is None
    assert hub.snapshot("acme/prior") is not None


def test_folders_of_one_s_own_are_not_deleted(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="Delete them there") as caught:
        remove(own(folder, tmp_path))
    assert caught.value.info.field == "model"
    assert (tmp_path / "own").is_dir()


def test_a_read_only_cache_is_told(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(ModelUnavailable, match=f"the cache {cache} is read-only"):
        remove(record())
    assert folder.is_dir()
