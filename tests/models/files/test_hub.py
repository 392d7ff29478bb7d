import os
import shutil
from collections import namedtuple

import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models.files import hub
from pipeline.models.registry import ModelRecord, Registry

SD35 = Registry.read().find("3.5-medium")


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    """An empty hub cache with room, no token, and the network allowed."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, 10**12))
    return tmp_path / "hub"


def cached(cache, name: str, content: str = "{}"):
    """Put a file into the hub's cache as a download leaves it."""
    repository = cache / f"models--{SD35.source.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text("abc")
    path = repository / "snapshots" / "abc" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def complete(cache):
    """A checkpoint of one component, in the hub's cache."""
    cached(cache, "model_index.json", '{"vae": ["diffusers", "AutoencoderKL"]}')
    cached(cache, "vae/config.json")
    return cached(cache, "vae/diffusion_pytorch_model.safetensors")


def changed(**changes) -> ModelRecord:
    return ModelRecord.model_validate(SD35.model_dump() | changes)


def refusal(record: ModelRecord = SD35) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        hub.check_available(record)
    assert caught.value.info.field == "model"
    assert caught.value.info.remedy
    return caught.value.info.sentence


def test_a_model_in_the_cache_is_here_and_needs_no_token_and_no_network(empty_cache, monkeypatch):
    complete(empty_cache)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert hub.is_here(SD35)
    hub.check_available(SD35)


def test_a_model_without_its_weights_is_not_here(empty_cache):
    complete(empty_cache).unlink()
    assert not hub.is_here(SD35)


def test_a_model_without_one_of_its_parts_is_not_here(empty_cache):
    complete(empty_cache)
    assert not hub.is_here(changed(parts={"prior_": "acme/prior"}))


def test_a_commit_that_the_main_branch_does_not_name_is_not_here(empty_cache):
    complete(empty_cache)
    (empty_cache / "models--stabilityai--stable-diffusion-3.5-medium" / "refs" / "main").write_text("def")
    assert hub.snapshot(SD35.source) is None
    assert not hub.is_here(SD35)


def test_a_model_in_a_folder_is_here(tmp_path):
    record = changed(source=str(tmp_path))
    assert hub.is_here(record)
    assert hub.places(record) == {"": tmp_path}


def test_a_single_file_is_here_with_its_configuration(tmp_path):
    (tmp_path / "one.safetensors").touch()
    record = changed(source=str(tmp_path / "one.safetensors"), config="demo/checkpoint")
    assert hub.is_here(record)
    assert set(hub.places(record)) == {"", hub.CONFIG}
    assert not hub.is_here(record.model_copy(update={"config": "acme/config"}))


def test_a_name_that_no_repository_can_have_is_not_here():
    assert not hub.is_here(changed(source="a/b/c"))
    assert hub.begun_bytes("a/b/c") == 0


def test_a_gated_model_without_a_token_says_where_to_get_one():
    assert "https://huggingface.co/stabilityai/stable-diffusion-3.5-medium, then set HF_TOKEN" in refusal()


def test_a_gated_model_with_a_token_may_be_tried(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_xyzzy")
    hub.check_available(SD35)


def test_a_model_without_a_gate_needs_no_token():
    hub.check_available(changed(licence={"name": "MIT", "url": "https://example.org", "gated": False}))


def test_offline_says_that_nothing_can_be_fetched(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids downloads" in refusal()


def test_too_small_a_disk_is_told_before_the_download(monkeypatch, empty_cache):
    monkeypatch.setenv("HF_TOKEN", "hf_xyzzy")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: (10, 9, 10**9))
    monkeypatch.setattr(hub, "cache_free_bytes", lambda: 10**9)
    assert f"needs 16.3 GB on disk; 1.0 GB are free at {empty_cache}" in refusal()


def test_a_folder_that_is_gone_is_told_apart_from_a_download(tmp_path):
    assert f"The folder of {SD35.name} is not there: {tmp_path / 'gone'}." in refusal(
        changed(source=str(tmp_path / "gone"))
    )
    assert "is not there" in refusal(changed(source="demo/gone"))
    assert f"The file of {SD35.name} is not there" in refusal(changed(source=str(tmp_path / "gone.safetensors")))


def test_what_is_here_already_needs_no_room(monkeypatch, empty_cache):
    monkeypatch.setenv("HF_TOKEN", "hf_xyzzy")
    monkeypatch.setattr(hub, "cache_free_bytes", lambda: 10**9)
    blobs = empty_cache / "models--stabilityai--stable-diffusion-3.5-medium" / "blobs"
    blobs.mkdir(parents=True)
    with (blobs / "abc.incomplete").open("wb") as partial:
        partial.truncate(SD35.download_bytes - 10**9)
    hub.check_available(SD35)


def test_a_read_only_cache_is_told_before_the_download(monkeypatch, empty_cache):
    monkeypatch.setenv("HF_TOKEN", "hf_xyzzy")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert f"the cache {empty_cache} is read-only" in refusal()


def test_free_space_is_known_before_the_cache_exists(empty_cache):
    assert not empty_cache.exists()
    assert hub.cache_free_bytes() == 10**12
