"""What a report must not tell."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from pipeline.hosted import keys
from pipeline.models.registry import ROOT
from pipeline.report.private import HARMLESS, hiding, told_settings
from pipeline.settings import Settings


@pytest.fixture(autouse=True)
def _no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not the `.env` of whoever runs the tests."""
    monkeypatch.setattr(keys, "ENV_FILE", tmp_path / ".env")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, outputs=tmp_path / "pictures", cache=tmp_path / "pictures/cache")


def test_folders_have_names_and_the_inner_one_its_own(settings: Settings) -> None:
    told = hiding(settings)(f"{settings.outputs}/a.png {settings.cache}/b {ROOT}/demo {Path.home()}/else")
    assert told == "[outputs]/a.png [cache]/b [darkroom]/demo ~/else"


def test_a_users_name_is_in_no_path_and_words_that_hold_it_stay(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    told = hiding(settings)(r"/media/ada/disk D:\ada\disk adaptive /ada-lovelace")
    assert told == r"/media/[user]/disk D:\[user]\disk adaptive /ada-lovelace"


def test_what_an_error_quotes_of_secrets_and_addresses_has_their_names(settings: Settings) -> None:
    environment = {"HF_TOKEN": "own_xyzzy", "HF_ENDPOINT": "https://a:b@hub", "HTTPS_PROXY": "", "OMP_NUM_THREADS": "2"}
    told = hiding(settings, environment)(f"own_xyzzy hf_{'x' * 34} https://a:b@hub/api in 2 s")
    assert told == "[HF_TOKEN] [HF_TOKEN] [HF_ENDPOINT]/api in 2 s"


def test_the_keys_of_providers_are_told_nowhere_wherever_they_are_set(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KLING_SECRET_KEY=' from-a-file '\n", encoding="utf-8")
    settings.hosted_file.parent.mkdir(parents=True)
    own = 'id = "own"\nname = "Own"\nadapter = "compatible"\nbase_url = "https://own"\nkeys = [["OWN_KEY", "OLD_KEY"]]'
    kling = 'id = "kling"\nname = "Kling"\nadapter = "kling"\nbase_url = "https://k"\nkeys = [["KLING_SECRET_KEY"]]'
    settings.hosted_file.write_text(f"[[provider]]\n{own}\n[[provider]]\n{kling}\n", encoding="utf-8")
    environment = {"OPENAI_API_KEY": "sk-xyzzyxyzzy", "OPENAI_BASE_URL": "https://a:b@own", "OLD_KEY": "an-own-key"}
    told = hiding(settings, environment)("sk-xyzzyxyzzy https://a:b@own/v1 an-own-key from-a-file")
    assert told == "[OPENAI_API_KEY] [OPENAI_BASE_URL]/v1 [OLD_KEY] [KLING_SECRET_KEY]"
    named = told_settings(settings, environment)
    assert {named[name] for name in (*environment, "KLING_SECRET_KEY")} == {"set"}


def test_own_records_that_cannot_be_read_leave_the_others_hidden(settings: Settings) -> None:
    settings.hosted_file.parent.mkdir(parents=True)
    settings.hosted_file.write_text("[[provider", encoding="utf-8")
    assert hiding(settings, {"OPENAI_API_KEY": "sk-xyzzyxyzzy"})("sk-xyzzyxyzzy") == "[OPENAI_API_KEY]"


def test_a_weak_token_is_not_given_away_by_the_words_that_are_missing(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, outputs=tmp_path, token="processor")
    assert hiding(settings, {})("The processor works.") == "The processor works."


def test_an_account_without_a_name_is_no_trouble(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert hiding(settings)("as it is") == "as it is"


def test_of_settings_only_harmless_ones_have_values_and_those_as_they_come_are_left_out(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, outputs=tmp_path, token="xyzzy", allowed_hosts="studio.example", device="cpu", max_pixels=9
    )
    environment = {"HF_TOKEN": "hf_xyzzy", "HF_ENDPOINT": "https://a:b@hub", "CUDA_VISIBLE_DEVICES": "1", "PATH": "/"}
    assert told_settings(settings, environment) == {
        "DARKROOM_OUTPUTS": "set",
        "DARKROOM_TOKEN": "set",
        "DARKROOM_ALLOWED_HOSTS": "set",
        "DARKROOM_DEVICE": "cpu",
        "DARKROOM_MAX_PIXELS": "9",
        "HF_TOKEN": "set",
        "HF_ENDPOINT": "set",
        "CUDA_VISIBLE_DEVICES": "1",
    }


def test_what_counts_as_harmless_are_settings() -> None:
    assert set(Settings.model_fields) > HARMLESS
