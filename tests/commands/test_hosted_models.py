"""Hosted models in the shell: listed, asked, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.commands.display import JobDisplay
from pipeline.compare.sheet import read_comparison
from pipeline.errors import InvalidRequest
from pipeline.events import Asked
from pipeline.remote.studio import RemoteStudio
from pipeline.request import parse_request
from pipeline.settings import Settings
from tests.api.conftest import app_of
from tests.api.serving import served
from tests.commands.conftest import Shell
from tests.hosted.as_openai import KEY, MODEL, images, openai_here, refusal
from tests.hosted.conftest import HostedStudio
from tests.hosted.provider_server import ProviderServer, picture

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture(autouse=True)
def _as_on_a_fresh_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]) -> None:
    """A fresh folder, and a studio that makes nothing itself."""
    monkeypatch.setitem(environment, "DARKROOM_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setitem(environment, "DARKROOM_MODEL", "demo")
    monkeypatch.setattr("pipeline.studio.Studio", HostedStudio)


def test_hosted_models_are_listed_below_the_others_with_what_is_missing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = shell("models", "list")
    above, _, below = out.partition("Hosted by providers")
    assert MODEL not in above
    [line] = [line for line in below.splitlines() if line.split()[:1] == [MODEL]]
    assert "OPENAI_API_KEY" in line
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _, text, _ = shell("models", "list", "--json")
    [fact] = [fact for fact in json.loads(text) if fact["id"] == MODEL]
    assert (fact["kind"], fact["ready"]) == ("hosted", True)
    assert KEY not in text


def test_when_they_are_off_none_is_listed(
    shell: Shell, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(environment, "DARKROOM_HOSTED", "off")
    assert "openai" not in shell("models", "list")[1]
    assert shell("models", "providers")[1].strip() == ""
    code, _, err = shell("generate", "x", "--model", MODEL)
    assert (code, "DARKROOM_HOSTED=off" in err) == (2, True)


def test_a_hosted_model_is_shown_with_its_options(shell: Shell) -> None:
    _, out, _ = shell("models", "show", MODEL)
    assert "quality" in out
    assert "api.openai.com" in out


def test_providers_tell_what_to_set_and_are_acknowledged(shell: Shell) -> None:
    _, out, _ = shell("models", "providers")
    [line] = [line for line in out.splitlines() if line.split()[:1] == ["openai"]]
    assert "OPENAI_API_KEY" in line
    _, text, _ = shell("models", "providers", "--acknowledge", "openai", "--json")
    assert {fact["id"]: fact["acknowledged"] for fact in json.loads(text)}["openai"]
    code, _, err = shell("models", "providers", "--acknowledge", "nobody")
    assert (code, err.startswith("Error: There is no provider nobody.")) == (1, True)


def test_a_hosted_picture_is_made_with_its_options_and_a_note_where_the_prompt_goes(
    shell: Shell, openai_server: ProviderServer
) -> None:
    openai_server.answers(images(picture(1024, 1024)))
    chosen = ("--model", MODEL, "--option", "quality=high", "--option", "background=transparent")
    code, out, err = shell("generate", "a boat", *chosen, "--json")
    assert code == 0
    assert err == f"Note: The prompt is sent to OpenAI ({openai_server.url.removeprefix('http://')}).\n"
    recipe = json.loads(out)["recipe"]
    assert (recipe["model"], recipe["options"]["quality"]) == (MODEL, "high")
    assert openai_server.asked[0].json["background"] == "transparent"
    assert KEY not in out + err


def test_an_option_that_cannot_be_is_refused_before_anything_is_asked(
    shell: Shell, openai_server: ProviderServer
) -> None:
    for words in ("quality", "=high", "quality="):
        code, _, err = shell("generate", "x", "--model", MODEL, "--option", words)
        assert (code, err.startswith(f"Error: --option: “{words}” names no option")) == (2, True)
    code, _, err = shell("generate", "x", "--model", MODEL, "--option", "quality=huge")
    assert (code, "Choose one of auto, low" in err) == (2, True)
    code, _, err = shell("generate", "x", "--option", "quality=high")
    assert (code, "only hosted models have some" in err) == (2, True)
    assert openai_server.asked == []


def test_what_is_missing_or_refused_is_one_line_and_exit_code_1(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = shell("generate", "x", "--model", MODEL)
    assert (code, out) == (1, "")
    assert err.startswith("Error: --model: OpenAI asks for a key, and none is set. Set OPENAI_API_KEY")
    with openai_here(monkeypatch) as server:
        server.answers(refusal(401, "invalid_api_key"))
        code, _, err = shell("generate", "x", "--model", MODEL)
    assert (code, "OpenAI refuses the key." in err, KEY in err) == (1, True, False)


def test_a_retired_model_exits_with_1_and_names_its_replacement(
    shell: Shell, openai_server: ProviderServer, environment: dict[str, str]
) -> None:
    own = Path(environment["DARKROOM_OUTPUTS"]) / ".darkroom" / "hosted.toml"
    own.parent.mkdir(parents=True)
    own.write_text(
        '[[model]]\nid = "openai/old"\nname = "Old"\nprovider = "openai"\nsource = "old"\nsummary = ""\n'
        "size = { native = [64, 64], multiple = 1, min = 64, max = 64 }\nprompt_characters = 9\n"
        'retires = 2026-01-02\nreplacement = "openai/gpt-image-2"\n',
        encoding="utf-8",
    )
    code, _, err = shell("generate", "x", "--model", "openai/old")
    assert (code, err) == (
        1,
        "Error: --model: Old was retired on 2 January 2026. Choose openai/gpt-image-2 instead.\n",
    )
    assert openai_server.asked == []


def test_what_only_checkpoints_have_is_refused(shell: Shell) -> None:
    for words in (("plan", MODEL), ("fetch", MODEL), ("check", MODEL), ("verify", MODEL), ("remove", MODEL)):
        code, _, err = shell("models", *words)
        assert (code, "is hosted: there is no checkpoint of it." in err) == (2, True)


def test_hosted_models_stand_on_one_sheet(shell: Shell, openai_server: ProviderServer, tmp_path: Path) -> None:
    openai_server.answers(images(picture(1024, 1024)))
    sheet = tmp_path / "sheet.png"
    code, _, err = shell("compare", "a boat", "--model", MODEL, "--columns", "prompt=boat,house", "-o", str(sheet))
    assert (code, "Error" in err) == (0, False)
    assert read_comparison(sheet.read_bytes()).base.model == MODEL


def test_a_studio_that_runs_makes_hosted_pictures_for_commands(
    make_settings: Callable[..., Settings], openai_server: ProviderServer
) -> None:
    openai_server.answers(images(picture(1024, 1024)))
    settings = make_settings()
    with HostedStudio(settings) as studio, served(app_of(studio)) as address:
        remote = RemoteStudio(address, settings)
        assert remote.default.record.id == "tiny"
        with pytest.raises(InvalidRequest, match="is hosted"):
            remote.record(MODEL)
        wish = parse_request(prompt="a boat", model=MODEL, options={"quality": "low"})
        job = remote.submit(wish)
        told = [event.type for event in job.events()]
        remote.close()
    assert "asked" in told
    assert told[-1] == "finished"
    assert openai_server.asked[0].json["quality"] == "low"


def test_while_a_provider_is_asked_the_line_says_who_is_waited_for() -> None:
    display = JobDisplay(as_json=False)
    display.count = 4
    asked = Asked(provider="OpenAI", image_index=1, count=2, attempt=2)
    assert display._wait(asked) == "Waiting for OpenAI for pictures 2 to 3 of 4, attempt 2"
    display.count = 1
    assert display._wait(Asked(provider="OpenAI", image_index=0, count=1)) == "Waiting for OpenAI"
    crowded = Asked(provider="Kling", image_index=0, count=1, crowded=True)
    assert display._wait(crowded) == "Waiting for other tasks of the account at Kling"
