"""Downloads against a hub of our own: what is fetched, how it goes on, and a sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import huggingface_hub
import pytest

from pipeline.errors import ErrorInfo, ModelUnavailable
from pipeline.events import Fetching
from pipeline.models.files import hub
from pipeline.models.files.download import FetchCancelled, Speed
from pipeline.models.files.fetch import Fetcher, fetch, needed
from pipeline.models.registry import ROOT, ModelRecord, Registry
from tests.hub_server import (
    ENCODER,
    NEEDED,
    STRANGER,
    TINY,
    TOKEN,
    TRANSFORMER,
    Fault,
    HubServer,
    pipeline_files,
    use_hub,
)

MEDIUM = Registry.read().find("3.5-medium")


pytestmark = pytest.mark.usefixtures("cache")


def record(**changes: object) -> ModelRecord:
    own = {"id": TINY, "name": "Tiny", "source": TINY, "download_bytes": 0, "licence": {"name": "MIT", "url": "x"}}
    return ModelRecord.model_validate(MEDIUM.model_dump() | own | changes)


def fetched(model: ModelRecord | None = None) -> Path:
    """The folder of a download."""
    return fetch(model or record(), lambda _: None)[""]


def refused(model: ModelRecord | None = None) -> ErrorInfo:
    """What a download that fails says. Nothing of it may count as here."""
    with pytest.raises(ModelUnavailable) as caught:
        fetched(model)
    assert not hub.is_here(model or record())
    info = caught.value.info
    assert info.remedy
    assert info.field == "model"
    return info


def partials(cache: Path) -> dict[str, int]:
    """What interrupted downloads left: digest → bytes."""
    return {file.stem: file.stat().st_size for file in cache.glob("*/blobs/*.incomplete")}


def sent(server: HubServer, path: str) -> int:
    return server.sent.get(f"{TINY}/{path}", 0)


def size(server: HubServer, path: str = TRANSFORMER) -> int:
    return len(server.content(TINY, path))


# -- what is fetched ---------------------------------------------------------------------------------------------------


def test_just_what_a_pipeline_needs_is_fetched(server: HubServer) -> None:
    folder = fetched()
    here = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    assert here == NEEDED
    assert all((folder / path).read_bytes() == server.content(TINY, path) for path in NEEDED)
    assert hub.is_here(record())


def test_what_is_needed_is_known_before_the_download(server: HubServer, cache: Path) -> None:
    files = {file.path: file for file in needed(record())}
    assert sorted(files) == NEEDED
    assert files[TRANSFORMER].size == size(server)
    assert files[TRANSFORMER].sha256 == server.digest(TINY, TRANSFORMER)
    assert not cache.exists()


def test_a_complete_model_needs_no_network(server: HubServer) -> None:
    folder = fetched()
    before = len(server.asked)
    assert fetched() == folder
    assert len(server.asked) == before


def test_the_variant_is_taken_where_there_is_one() -> None:
    weights = [file.path for file in needed(record(variant="fp16")) if file.path.endswith(".safetensors")]
    assert weights == ["text_encoder/model.fp16.safetensors", TRANSFORMER]


def test_all_repositories_of_a_model_are_fetched(server: HubServer) -> None:
    server.add("acme/prior", pipeline_files(50_000))
    places = fetch(record(parts={"prior_": "acme/prior"}), lambda _: None)
    assert set(places) == {"", "prior_"}
    assert (places["prior_"] / TRANSFORMER).read_bytes() == server.content("acme/prior", TRANSFORMER)


def test_a_part_may_be_one_component(server: HubServer) -> None:
    server.add("acme/other", pipeline_files(50_000))
    places = fetch(record(parts={"transformer": "acme/other"}), lambda _: None)
    assert not (places[""] / "transformer").exists()
    assert not (places["transformer"] / "text_encoder").exists()
    assert (places["transformer"] / TRANSFORMER).read_bytes() == server.content("acme/other", TRANSFORMER)


def test_a_repository_of_one_component_needs_no_index(server: HubServer) -> None:
    files = {path: content for path, content in pipeline_files(50_000).items() if path.startswith("transformer/")}
    server.add("acme/alone", files)
    model = record(parts={"transformer": "acme/alone"})
    places = fetch(model, lambda _: None)
    assert (places["transformer"] / TRANSFORMER).read_bytes() == files[TRANSFORMER]
    assert hub.is_here(model)
    (places["transformer"] / TRANSFORMER).unlink()
    assert not hub.is_here(model)


def test_of_a_single_file_only_the_configuration_is_fetched(server: HubServer, tmp_path: Path) -> None:
    (tmp_path / "one.safetensors").write_bytes(b"weights")
    places = fetch(record(source=str(tmp_path / "one.safetensors"), config=TINY), lambda _: None)
    assert places[""] == tmp_path / "one.safetensors"
    assert (places[hub.CONFIG] / "tokenizer" / "vocab.json").is_file()
    assert not any(path.endswith(".safetensors") for path in server.sent)


def test_huggingface_hub_finds_what_was_fetched_and_fetches_it_no_more(server: HubServer, cache: Path) -> None:
    folder = fetched()
    before = server.total_sent()
    assert Path(huggingface_hub.hf_hub_download(TINY, TRANSFORMER)) == folder / TRANSFORMER
    assert Path(huggingface_hub.hf_hub_download(TINY, "tokenizer/vocab.json")).is_file()
    assert server.total_sent() == before
    scan = huggingface_hub.scan_cache_dir(cache)
    assert not scan.warnings
    (repository,) = scan.repos
    assert (repository.repo_id, repository.nb_files) == (TINY, len(NEEDED))
    (revision,) = repository.revisions
    assert (revision.commit_hash, revision.refs) == (server.commit(TINY), {"main"})


def test_what_huggingface_hub_fetched_is_not_fetched_again(server: HubServer) -> None:
    huggingface_hub.hf_hub_download(TINY, TRANSFORMER)
    fetched()
    assert sent(server, TRANSFORMER) == size(server)


def test_a_disk_without_links_has_the_files_themselves(monkeypatch: pytest.MonkeyPatch, server: HubServer) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_SYMLINKS", True)
    folder = fetched()
    assert not (folder / TRANSFORMER).is_symlink()
    assert (folder / TRANSFORMER).read_bytes() == server.content(TINY, TRANSFORMER)
    assert hub.is_here(record())


def test_a_new_commit_counts_only_when_it_is_complete(server: HubServer) -> None:
    old = fetched()
    (old / TRANSFORMER).resolve().unlink()
    server.add(TINY, pipeline_files(100_000))
    server.fault(TINY, TRANSFORMER, Fault(status=404))
    refused()
    assert hub.snapshot(TINY) == old
    server.add(TINY, pipeline_files(100_000))
    assert fetched().name == server.commit(TINY) != old.name


# -- progress ----------------------------------------------------------------------------------------------------------


def test_progress_begins_at_nothing_and_ends_with_every_byte(server: HubServer) -> None:
    told: list[Fetching] = []
    fetch(record(), told.append)
    total = sum(size(server, path) for path in NEEDED)
    assert (told[0].done, told[0].total, told[0].seconds_left) == (0, total, None)
    assert (told[-1].done, told[-1].total) == (total, total)
    assert [step.done for step in told] == sorted(step.done for step in told)


def test_a_slow_download_tells_speed_and_time_left(server: HubServer) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=100_000, times=1))
    told: list[Fetching] = []

    def look(progress: Fetching) -> None:
        told.append(progress)
        if progress.bytes_per_second and fault.held.is_set():
            fault.release.set()

    fetch(record(), look)
    slow = next(step for step in told if step.bytes_per_second)
    assert slow.seconds_left is not None
    assert told[-1].done == told[-1].total


def test_the_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed()
    assert speed.at(0, 0) == 0
    assert speed.at(0.5, 90) == 0
    assert speed.at(1, 100) == 100
    assert speed.at(5, 100) == 20
    assert [speed.at(second, 100 + 50 * (second - 5)) for second in range(6, 31)][-1] == 50
    assert speed.at(31, 0) == 0


# -- cancel and resume -------------------------------------------------------------------------------------------------


def test_a_cancelled_download_keeps_its_bytes_and_goes_on_from_there(server: HubServer, cache: Path) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=120_000, times=1))
    told: list[Fetching] = []
    with pytest.raises(FetchCancelled):
        fetch(record(), told.append, lambda: partials(cache).get(server.digest(TINY, TRANSFORMER)) == 120_000)
    assert not hub.is_here(record())
    fault.release.set()
    fetch(record(), told.append)
    assert hub.is_here(record())
    assert [ask.range for ask in server.asked if ask.path.startswith("storage/") and ask.range] == ["bytes=120000-"]


def test_whoever_watches_can_stop_a_download(server: HubServer, cache: Path) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=1000))

    def stop(progress: Fetching) -> None:
        if fault.held.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(record(), stop)
    assert not hub.is_here(record())


def test_a_dropped_connection_is_resumed_without_fetching_a_byte_twice(server: HubServer) -> None:
    server.fault(TINY, TRANSFORMER, Fault(drop_after=70_000, times=2))
    folder = fetched()
    assert (folder / TRANSFORMER).read_bytes() == server.content(TINY, TRANSFORMER)
    assert sent(server, TRANSFORMER) == size(server)


def test_a_server_without_ranges_starts_the_file_over(server: HubServer, cache: Path) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=70_000))
    with pytest.raises(FetchCancelled):
        fetch(record(), lambda _: None, lambda: partials(cache).get(server.digest(TINY, TRANSFORMER)) == 70_000)
    fault.release.set()
    server.fault(TINY, TRANSFORMER, Fault(ranges=False))
    assert (fetched() / TRANSFORMER).read_bytes() == server.content(TINY, TRANSFORMER)
    assert any(ask.range for ask in server.asked)


def test_a_connection_that_breaks_off_forever_keeps_what_came(server: HubServer, cache: Path) -> None:
    server.fault(TINY, TRANSFORMER, Fault(drop_after=0))
    server.fault(TINY, ENCODER, Fault(drop_after=0))
    info = refused()
    assert "broke off the connection again and again" in info.message
    assert "goes on where it stopped" in info.remedy
    server.repositories[TINY].faults.clear()
    fetched()
    assert sent(server, TRANSFORMER) == size(server)


def test_two_downloads_of_a_model_at_once_fetch_each_file_once(server: HubServer) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=100_000, times=1))

    def release(progress: Fetching) -> None:
        if progress.done >= 100_000:
            fault.release.set()

    first = Thread(target=fetched)
    first.start()
    fault.held.wait(10)
    places = fetch(record(), release)
    first.join()
    assert (places[""] / TRANSFORMER).read_bytes() == server.content(TINY, TRANSFORMER)
    assert {path: server.sent[f"{TINY}/{path}"] for path in NEEDED[1:]} == {
        path: size(server, path) for path in NEEDED[1:]
    }


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [TRANSFORMER, "transformer/config.json"])
@pytest.mark.parametrize("fault", [{"corrupt": True}, {"cut_to": 5}], ids=["corrupt", "cut short"])
def test_a_file_that_arrives_damaged_is_removed_and_said(
    server: HubServer, cache: Path, path: str, fault: dict[str, object]
) -> None:
    server.fault(TINY, path, Fault(**fault))
    info = refused()
    assert f"{TINY}/{path} arrived damaged" in info.message
    assert "It was removed." in info.message
    assert not list(cache.glob(f"*/blobs/{server.digest(TINY, path)}*"))
    server.repositories[TINY].faults.clear()
    assert (fetched() / path).read_bytes() == server.content(TINY, path)


def test_a_damaged_beginning_is_found_out_at_the_end(server: HubServer, cache: Path) -> None:
    partial = cache / "models--acme--tiny" / "blobs" / f"{server.digest(TINY, TRANSFORMER)}.incomplete"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(bytes(1000))
    assert "arrived damaged" in refused().message
    assert not partial.exists()
    fetched()


def test_a_blob_that_was_cut_short_is_fetched_again(server: HubServer) -> None:
    folder = fetched()
    (folder / TRANSFORMER).resolve().write_bytes(b"short")
    (folder / "tokenizer" / "vocab.json").unlink()  # so that there is something to fetch
    assert (fetched() / TRANSFORMER).read_bytes() == server.content(TINY, TRANSFORMER)


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_gate_without_a_token(server: HubServer) -> None:
    server.add(TINY, pipeline_files(), access="gated")
    info = refused()
    assert "is gated, and no Hugging Face token is set" in info.message
    assert f"https://huggingface.co/{TINY}, then set HF_TOKEN" in info.remedy


def test_a_gate_and_the_token_of_somebody_else(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add(TINY, pipeline_files(), access="gated")
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    info = refused()
    assert "has not been let in" in info.message
    assert f"https://huggingface.co/{TINY} with that account" in info.remedy


def test_the_gate_of_a_part_names_that_part(server: HubServer) -> None:
    server.add("acme/prior", pipeline_files(50_000), access="gated")
    assert "https://huggingface.co/acme/prior" in refused(record(parts={"prior_": "acme/prior"})).remedy


def test_a_member_is_let_in_and_the_token_stays_with_the_hub(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(TINY, pipeline_files(), access="gated")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetched()
    tokens = {(ask.host, ask.token) for ask in server.asked}
    assert tokens == {("127.0.0.1", TOKEN), ("localhost", "")}


def test_a_token_that_is_none(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    info = refused()
    assert "does not accept the Hugging Face token" in info.message
    assert "valid token" in info.remedy


@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_wrong_name(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    info = refused(record(source="acme/tini"))
    assert "no folder acme/tini here, and the hub knows no such model" in info.message
    assert "Check the source" in info.remedy


def test_a_name_that_cannot_be_one() -> None:
    assert "the hub knows no such model" in refused(record(source="acme/tiny/models/..")).message


def test_a_private_model_is_only_for_its_owner(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add(TINY, pipeline_files(), access="private")
    assert "keeps it private" in refused().message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetched()


def test_a_repository_that_is_no_pipeline(server: HubServer) -> None:
    server.add(TINY, {"config.json": b"{}", "model.safetensors": b"x"})
    info = refused()
    assert f"{TINY} on the hub is not a diffusers checkpoint: it has no model_index.json" in info.message


def test_a_repository_without_safetensors(server: HubServer) -> None:
    files = pipeline_files()
    files["transformer/diffusion_pytorch_model.bin"] = files.pop(TRANSFORMER)
    server.add(TINY, files)
    info = refused()
    assert "no .safetensors weights for “transformer”, only diffusion_pytorch_model.bin" in info.message
    assert "carry code" in info.message
    assert server.total_sent() == len(files["model_index.json"])


# -- network and server ------------------------------------------------------------------------------------------------


def test_no_network(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        use_hub(monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}", cache)
    info = refused()
    assert "cannot be reached" in info.message
    assert "Check the network connection" in info.remedy


def test_a_server_that_falls_silent(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    server.fault(TINY, TRANSFORMER, Fault(hold_after=1000))
    server.fault(TINY, ENCODER, Fault(hold_after=1000))
    monkeypatch.setattr("pipeline.models.files.download.PAUSES", ())
    info = refused()
    assert "sent nothing for 0.1 s" in info.message
    assert "HF_HUB_DOWNLOAD_TIMEOUT" in info.remedy


@pytest.mark.parametrize("path", ["", "model_index.json", "tokenizer/vocab.json", TRANSFORMER])
def test_a_server_error_that_passes_is_waited_for(server: HubServer, path: str) -> None:
    server.fault(TINY, path, Fault(status=503, times=2))
    fetched()
    assert hub.is_here(record())


@pytest.mark.parametrize("path", ["", TRANSFORMER])
def test_a_server_error_that_stays(server: HubServer, path: str) -> None:
    server.fault(TINY, path, Fault(status=500))
    info = refused()
    assert f"The hub at {server.url} has a fault (HTTP 500)" in info.message
    assert "Try again later" in info.remedy


def test_too_many_requests_are_waited_out_if_that_is_soon(server: HubServer) -> None:
    server.fault(TINY, TRANSFORMER, Fault(status=429, headers={"Retry-After": "0"}, times=1))
    fetched()
    assert hub.is_here(record())


def test_too_many_requests_say_when_to_come_again(server: HubServer) -> None:
    server.fault(TINY, "", Fault(status=429, headers={"ratelimit": '"api";r=0;t=271'}))
    info = refused()
    assert "too many requests" in info.message
    assert "in 271 s" in info.remedy
    assert len(server.asked) == 1


def test_names_from_the_hub_never_leave_the_cache(server: HubServer, cache: Path) -> None:
    index = {"_class_name": "X", "../../..": ["diffusers", "AutoencoderKL"], "vae": ["diffusers", "AutoencoderKL"]}
    files = {"vae/config.json": b"{}", "vae/model.safetensors": b"x", "../../../config.json": b"evil"}
    server.add(TINY, files | {"model_index.json": json.dumps(index).encode(), "vae/../../config.json": b"evil"})
    fetched()
    assert [file for file in cache.parent.rglob("config.json") if file.read_bytes() == b"evil"] == []
    server.repositories[TINY].commit = "../../../up"
    with pytest.raises(ModelUnavailable, match="is not a Hugging Face hub"):
        needed(record())


def test_something_else_than_a_hub_answers(server: HubServer) -> None:
    server.fault(TINY, "", Fault(status=200))
    info = refused()
    assert f"what answers at {server.url} is not a Hugging Face hub" in info.message
    assert "HF_ENDPOINT" in info.remedy


def test_a_proxy_is_used(server: HubServer, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    use_hub(monkeypatch, "http://hub.example", cache)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "localhost")
    fetched()
    assert any(ask.proxied for ask in server.asked)


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    use_hub(monkeypatch, "http://hub.example", cache)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert "cannot be reached" in refused().message


def test_the_variables_that_everybody_uses_are_obeyed(server: HubServer, tmp_path: Path) -> None:
    server.add(TINY, pipeline_files(), access="gated")
    (tmp_path / "record.json").write_text(record().model_dump_json())
    code = (
        "from pathlib import Path; from pipeline.models.files.fetch import fetch; "
        "from pipeline.models.registry import ModelRecord; "
        f"record = ModelRecord.model_validate_json(Path({str(tmp_path / 'record.json')!r}).read_text()); "
        "print(fetch(record, lambda _: None)[''])"
    )
    own = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": server.url, "HF_TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | own, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path / "home" / "hub")


# -- the disk ----------------------------------------------------------------------------------------------------------


def test_too_small_a_disk_is_told_before_anything_is_stored(
    server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "cache_free_bytes", lambda: 100_000)
    info = refused()
    assert "needs 0.3 MB on disk; 0.1 MB are free" in info.message
    assert "HF_HOME to a larger disk" in info.remedy
    assert not list(cache.glob("*/blobs/*"))


def test_only_what_is_missing_needs_room(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (fetched() / ENCODER).resolve().unlink()
    monkeypatch.setattr(hub, "cache_free_bytes", lambda: size(server, ENCODER))
    fetched()
    assert hub.is_here(record())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_meanwhile(server: HubServer, cache: Path) -> None:
    partial = cache / "models--acme--tiny" / "blobs" / f"{server.digest(TINY, TRANSFORMER)}.incomplete"
    partial.parent.mkdir(parents=True)
    partial.symlink_to("/dev/full")
    info = refused()
    assert f"The disk of {cache} is full" in info.message
    assert "Free some space" in info.remedy


def test_a_read_only_cache_is_read(server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetched()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    before = sorted((path, path.lstat().st_mtime_ns) for path in cache.rglob("*"))
    assert fetched() == folder
    assert sorted((path, path.lstat().st_mtime_ns) for path in cache.rglob("*")) == before


def test_a_read_only_cache_that_lacks_a_file(server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fetched() / TRANSFORMER).resolve().unlink()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    info = refused()
    assert f"the cache {cache} is read-only" in info.message
    assert "HF_HOME" in info.remedy


def test_a_cache_that_refuses_to_be_written(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert f"the cache {cache} is read-only" in refused().message


# -- offline -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_offline_with_all_files(offline: Callable[[], None]) -> None:
    folder = fetched()
    offline()
    assert fetched() == folder


def test_offline_with_some_of_the_files(offline: Callable[[], None]) -> None:
    (fetched() / TRANSFORMER).resolve().unlink()
    offline()
    info = refused()
    assert "is not complete on this computer, and HF_HUB_OFFLINE forbids downloads" in info.message
    assert "Unset HF_HUB_OFFLINE" in info.remedy


def test_offline_with_none_of_the_files(offline: Callable[[], None]) -> None:
    offline()
    assert "is not on this computer" in refused().message


# -- in the background -------------------------------------------------------------------------------------------------


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    fetcher.close()


def test_a_model_is_fetched_in_the_background(fetcher: Fetcher, server: HubServer) -> None:
    assert fetcher.start(record()).status in {"queued", "running"}
    state = fetcher.wait(TINY, 10)
    total = sum(size(server, path) for path in NEEDED)
    assert (state.status, state.done, state.total, state.error) == ("done", total, total, None)
    assert fetcher.states() == [state]
    assert hub.is_here(record())


def test_a_failed_download_says_why_and_can_be_tried_again(fetcher: Fetcher, server: HubServer) -> None:
    server.fault(TINY, TRANSFORMER, Fault(corrupt=True, times=1))
    fetcher.start(record())
    state = fetcher.wait(TINY, 10)
    assert state.status == "failed"
    assert state.error is not None
    assert "arrived damaged" in state.error.message
    fetcher.start(record())
    assert fetcher.wait(TINY, 10).status == "done"


def test_what_certainly_fails_is_refused_at_once(fetcher: Fetcher) -> None:
    with pytest.raises(ModelUnavailable, match="no Hugging Face token"):
        fetcher.start(record(licence={"name": "X", "url": "x", "gated": True}))
    assert fetcher.states() == []


def test_a_running_and_a_waiting_download_are_cancelled(fetcher: Fetcher, server: HubServer) -> None:
    server.add("acme/other", pipeline_files(50_000))
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=100_000, times=1))
    fetcher.start(record())
    fault.held.wait(10)
    waiting = fetcher.start(record(id="acme/other", source="acme/other"))
    assert fetcher.start(record()).status == "running"
    assert [state.status for state in fetcher.states()] == ["running", "queued"]
    assert waiting.total == 0
    fetcher.cancel("acme/other")
    fetcher.cancel(TINY)
    fetcher.cancel("unknown")
    assert fetcher.wait(TINY, 10).status == "cancelled"
    assert fetcher.wait("acme/other", 10).status == "cancelled"
    assert not any("other" in ask.path for ask in server.asked)


def test_a_cancelled_download_goes_on_when_it_is_started_again(
    fetcher: Fetcher, server: HubServer, cache: Path
) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=100_000, times=1))
    fetcher.start(record())
    fault.held.wait(10)
    fetcher.cancel(TINY)
    fetcher.wait(TINY, 10)
    fault.release.set()
    fetcher.start(record())
    assert fetcher.wait(TINY, 10).status == "done"
    assert hub.is_here(record())


def test_models_are_fetched_one_after_the_other(fetcher: Fetcher, server: HubServer) -> None:
    server.add("acme/other", pipeline_files(50_000))
    fetcher.start(record())
    fetcher.start(record(id="acme/other", source="acme/other"))
    assert fetcher.wait("acme/other", 10).status == "done"
    paths = [ask.path for ask in server.asked]
    assert all("tiny" in path for path in paths[: paths.index("api/models/acme/other")])


def test_a_model_of_this_disk_is_done_at_once(fetcher: Fetcher, tmp_path: Path, server: HubServer) -> None:
    (tmp_path / "own").mkdir()
    fetcher.start(record(source=str(tmp_path / "own")))
    assert fetcher.wait(TINY, 10).status == "done"
    assert server.asked == []


def test_a_closed_fetcher_stops_what_runs(fetcher: Fetcher, server: HubServer) -> None:
    fault = server.fault(TINY, TRANSFORMER, Fault(hold_after=100_000))
    fetcher.start(record())
    fault.held.wait(10)
    fetcher.close()
    assert fetcher.states()[0].status == "cancelled"
