"""Keys from the environment and `.env`: found, missed in a sentence, and kept out of texts."""

from __future__ import annotations

import pytest

from pipeline.errors import KeyMissing
from pipeline.hosted import keys
from pipeline.models.hosted import Provider

ONE = Provider(
    id="mill",
    name="The Mill",
    adapter="mill",
    base_url="https://mill.invalid/v1/",
    base_url_variable="MILL_URL",
    keys=(("MILL_KEY", "MILLER_KEY"), ("MILL_SECRET",)),
    key_url="https://mill.invalid/keys",
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MILL_KEY", "MILLER_KEY", "MILL_SECRET", "MILL_URL"):
        monkeypatch.delenv(name, raising=False)


def write_env(text: str) -> None:
    keys.ENV_FILE.write_text(text)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write_env("MILL_KEY=from-file\nMILL_SECRET=secret\n")
    monkeypatch.setenv("MILL_KEY", "from-environment")
    assert keys.keys_of(ONE) == {"MILL_KEY": "from-environment", "MILL_SECRET": "secret"}


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_variable_hides_nothing(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    write_env("MILL_KEY=from-file\nMILL_SECRET=secret\n")
    monkeypatch.setenv("MILL_KEY", blank)
    assert keys.keys_of(ONE)["MILL_KEY"] == "from-file"


def test_blanks_around_a_key_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_KEY", " key\n")
    monkeypatch.setenv("MILL_SECRET", "secret")
    assert keys.keys_of(ONE)["MILL_KEY"] == "key"


def test_another_name_of_a_key_gives_it_under_its_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLER_KEY", "key")
    monkeypatch.setenv("MILL_SECRET", "secret")
    assert keys.keys_of(ONE) == {"MILL_KEY": "key", "MILL_SECRET": "secret"}


def test_the_first_name_of_a_key_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    write_env("MILL_KEY=first\nMILL_SECRET=secret\n")
    monkeypatch.setenv("MILLER_KEY", "second")
    assert keys.keys_of(ONE)["MILL_KEY"] == "first"


def test_what_is_missing_is_named_with_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyMissing) as raised:
        keys.keys_of(ONE)
    assert raised.value.info.sentence == (
        "The Mill asks for a key, and none is set. Set MILL_KEY and MILL_SECRET in .env, "
        "or in the environment and start the studio again. A key is made at https://mill.invalid/keys."
    )
    monkeypatch.setenv("MILL_KEY", "key")
    with pytest.raises(KeyMissing, match="Set MILL_SECRET in"):
        keys.keys_of(ONE)


def test_who_asks_for_no_key_has_none_missing() -> None:
    assert keys.keys_of(ONE.model_copy(update={"keys": ()})) == {}


def test_an_address_may_be_set_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys.base_url(ONE) == "https://mill.invalid/v1"
    monkeypatch.setenv("MILL_URL", "http://127.0.0.1:9/v1/")
    assert keys.base_url(ONE) == "http://127.0.0.1:9/v1"


def test_a_host_is_told_without_the_password_in_an_address() -> None:
    assert keys.host("https://ann:secret@mill.invalid:81/v1") == "mill.invalid:81"


def test_no_key_is_to_be_read_in_a_text() -> None:
    assert keys.without_keys("Bearer abc was refused, abc!", ["abc", ""]) == "Bearer [key] was refused, [key]!"
