from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import BadSettings
from pipeline.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DARKROOM_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_environment(tmp_path):
    settings = read_settings()
    assert settings.model == "auto"
    assert settings.outputs == tmp_path / "outputs"
    assert settings.cache == Path.home() / ".cache" / "darkroom"
    assert settings.host == "127.0.0.1"
    assert settings.token is None


def test_reading_settings_makes_no_folder(tmp_path):
    read_settings()
    assert list(tmp_path.iterdir()) == []


def test_variables_win_over_the_env_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("DARKROOM_MODEL=from-file\nDARKROOM_MAX_QUEUE=3\nOTHER=1\n")
    monkeypatch.setenv("DARKROOM_MODEL", "from-shell")
    settings = read_settings()
    assert (settings.model, settings.max_queue) == ("from-shell", 3)


def test_folders_become_absolute_and_a_tilde_means_home(monkeypatch, tmp_path):
    monkeypatch.setenv("DARKROOM_OUTPUTS", "~/pictures")
    monkeypatch.setenv("DARKROOM_CACHE", "cache")
    settings = read_settings()
    assert settings.outputs == Path.home() / "pictures"
    assert settings.cache == tmp_path / "cache"


def test_queue_and_index_live_in_the_outputs_folder(tmp_path):
    settings = read_settings()
    assert settings.database == tmp_path / "outputs" / ".darkroom" / "studio.db"
    assert settings.models_file.parent == settings.database.parent == settings.data_folder


def test_allowed_hosts_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("DARKROOM_ALLOWED_HOSTS", "studio.local, 10.0.0.1,")
    assert read_settings().allowed_hosts == ("studio.local", "10.0.0.1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_QUEUE", "0"), ("MAX_PIXELS", "-5"), ("WORKERS", "none"), ("PRELOAD", "perhaps")],
)
def test_a_value_that_cannot_be_used_names_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"DARKROOM_{name}", value)
    with pytest.raises(BadSettings, match=f"^DARKROOM_{name} cannot be used"):
        read_settings()


def test_the_token_is_not_shown(monkeypatch):
    monkeypatch.setenv("DARKROOM_TOKEN", "xyzzy")
    settings = read_settings()
    assert "xyzzy" not in repr(settings)
    assert settings.token.get_secret_value() == "xyzzy"


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        read_settings().model = "other"


def test_every_setting_describes_itself():
    assert all(field.description for field in Settings.model_fields.values())
