"""`models`, what can run and its files; downloads from a hub of one's own."""

from __future__ import annotations

import json
import os
import pty
import signal
from pathlib import Path

import pytest

from tests.commands.conftest import LARGEST, REMOTE, Shell, read_terminal, read_until, start
from tests.hub_server import Fault, HubServer


def call(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """The command line in a process of its own, which reads the variables of the hub when it starts."""
    process = start(environment, "models", *arguments)
    out, err = process.communicate()
    return process.returncode, out, err


# -- what is known


def test_models_are_listed_with_the_default_marked(shell: Shell) -> None:
    _, out, _ = shell("models", "list")
    assert any(line.split()[:3] == ["default", "tiny", "here"] for line in out.splitlines())
    assert any("GB to download" in line and "gated" in line for line in out.splitlines())
    _, text, _ = shell("models", "list", "--json")
    listed = {record["id"]: record for record in json.loads(text)}
    assert (listed["tiny"]["default"], listed["tiny"]["here"]) == (True, True)
    assert listed["tiny"]["bytes_here"] == listed["tiny"]["bytes_total"] > 1_000_000


def test_a_model_is_shown_by_a_short_form_of_its_name(shell: Shell) -> None:
    _, out, _ = shell("models", "show", "3.5-medium")
    assert "Stable Diffusion 3.5 Medium" in out
    _, text, _ = shell("models", "show", "3.5-medium", "--json")
    assert json.loads(text)["steps"]["default"] == 40


# -- the plan


def test_the_plan_of_a_model_that_fits_names_its_components_and_their_bytes(shell: Shell) -> None:
    code, out, _ = shell("models", "plan", "tiny")
    assert code == 0
    assert all(part in out for part in ("Fits", "transformer", "text_encoder_3", "float32", "main memory", "licence"))
    code, text, _ = shell("models", "plan", "tiny", "--json")
    plan = json.loads(text)
    assert (code, plan["model"], plan["fits"]) == (0, "tiny", True)
    assert sum(part["bytes"] for part in plan["components"]) == plan["weight_bytes"]


def test_a_plan_follows_size_and_precision(shell: Shell) -> None:
    def plan(*options: str) -> dict[str, int]:
        return json.loads(shell("models", "plan", "3.5-medium", "--json", *options)[1])

    whole, small = plan("--quantization", "none"), plan("--quantization", "none", "--component", "transformer=nf4")
    assert small["weight_bytes"] < whole["weight_bytes"]
    assert plan("--width", "512", "--height", "512")["activation_bytes"] < plan()["activation_bytes"]


def test_a_plan_that_does_not_fit_exits_with_1_and_says_why(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    little = type("Memory", (), {"total": 2 * 10**9, "available": 10**9})
    monkeypatch.setattr("psutil.virtual_memory", lambda: little)
    code, out, err = shell("models", "plan", "flux")
    assert (code, err) == (1, "")
    assert "Does not fit" in out


# -- files


def test_a_download_tells_its_bytes_on_a_terminal_and_ends_with_one_line(
    environment: dict[str, str], hub: HubServer
) -> None:
    held = hub.fault(REMOTE, LARGEST, Fault(hold_after=100_000, times=1))
    terminal, handle = pty.openpty()
    process = start(environment, "models", "fetch", REMOTE, stderr=handle)
    os.close(handle)
    assert "Fetching" in read_until(terminal, r"Fetching .+ of \d\.\d MB")
    held.release.set()
    read_terminal(terminal)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out.startswith(f"{REMOTE} is here")
    assert call(environment, "verify", REMOTE)[:2] == (0, f"The files of {REMOTE} are whole.\n")


def test_a_download_in_a_pipe_shows_no_progress(environment: dict[str, str], hub: HubServer) -> None:
    code, out, err = call(environment, "fetch", REMOTE, "--json")
    assert (code, err) == (0, "")
    state = json.loads(out)
    assert (state["status"], state["done"]) == ("done", state["total"])


def test_ctrl_c_stops_a_download_and_the_same_command_goes_on_from_there(
    environment: dict[str, str], hub: HubServer
) -> None:
    held = hub.fault(REMOTE, LARGEST, Fault(hold_after=100_000, times=1))
    terminal, handle = pty.openpty()
    process = start(environment, "models", "fetch", REMOTE, stderr=handle)
    os.close(handle)
    assert held.held.wait(60)
    process.send_signal(signal.SIGINT)
    seen = read_terminal(terminal)
    process.communicate()
    assert process.returncode == 130
    assert "the same command goes on from there" in " ".join(seen.split())
    assert "Traceback" not in seen

    held.release.set()
    assert call(environment, "fetch", REMOTE)[0] == 0
    assert hub.sent[f"{REMOTE}/{LARGEST}"] < 2 * len(hub.content(REMOTE, LARGEST))


def test_a_download_that_fails_exits_with_1_and_a_sentence(environment: dict[str, str], hub: HubServer) -> None:
    del hub.repositories[REMOTE]
    code, out, err = call(environment, "fetch", REMOTE)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1


def test_a_damaged_file_is_named_and_exits_with_1(environment: dict[str, str], hub: HubServer, tmp_path: Path) -> None:
    assert call(environment, "fetch", REMOTE)[0] == 0
    [weights] = (tmp_path / "hf").glob(f"hub/models--*/snapshots/*/{LARGEST}")
    content = weights.read_bytes()
    weights.resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    code, out, _ = call(environment, "verify", REMOTE)
    assert code == 1
    assert LARGEST in out


def test_files_and_record_are_removed_together(environment: dict[str, str], hub: HubServer, tmp_path: Path) -> None:
    assert call(environment, "fetch", REMOTE)[0] == 0
    code, out, _ = call(environment, "remove", REMOTE, "--files", "--json")
    removed = json.loads(out)
    assert (code, removed["forgotten"]) == (0, True)
    assert removed["freed_bytes"] > 1_000_000
    assert list((tmp_path / "hf").glob("hub/models--*")) == []
    assert call(environment, "show", REMOTE)[0] == 2


def test_a_model_is_added_by_its_folder_and_forgotten_again(
    shell: Shell, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.symlink_to(tiny_checkpoint)
    code, out, _ = shell("models", "add", str(folder), "--json")
    added = json.loads(out)
    assert (code, added["id"], added["family"], added["source"]) == (0, "mine", "sd3", str(folder))
    assert shell("models", "show", "mine")[0] == 0
    assert shell("models", "remove", "mine")[0] == 0
    assert shell("models", "show", "mine")[0] == 2
    assert folder.is_dir()


def test_a_model_that_ships_with_the_studio_cannot_be_forgotten(shell: Shell) -> None:
    code, out, err = shell("models", "remove", "sdxl-turbo")
    assert (code, out) == (2, "")
    assert "not among the models that were added" in err


# -- self-test and cache


def test_a_model_that_passes_its_self_test_exits_with_0(shell: Shell) -> None:
    code, out, _ = shell("models", "check", "demo", "--json")
    [(model, findings)] = json.loads(out).items()
    assert (code, model) == (0, "demo")
    assert all(finding["ok"] is not False for finding in findings)


def test_an_empty_cache_is_listed_and_cleared(shell: Shell) -> None:
    assert shell("models", "cache", "list", "--json")[:2] == (0, "[]\n")
    code, out, _ = shell("models", "cache", "clear", "--json")
    assert (code, json.loads(out)) == (0, {"freed_bytes": 0})
