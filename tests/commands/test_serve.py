"""`serve`, the API without the pages: started, refused, stopped in the middle of its work, and started again."""

import json
import re
import signal
import socket
from pathlib import Path

import httpx2

from pipeline.jobs.claim import claim
from tests.commands.conftest import serve, start
from tests.conftest import tiny_settings

PROMPT = "a secret garden"


def test_a_port_that_is_taken_is_one_clear_line(shell):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = shell("serve", "--port", str(port))
    assert (code, out) == (1, "")
    assert err == (
        f"Error: The studio cannot listen on port {port} of 127.0.0.1: Address already in use. "
        "Stop what does, or choose another with --port.\n"
    )


def test_a_folder_whose_queue_another_studio_runs_is_one_clear_line(
    shell, tmp_path, tiny_checkpoint, environment, monkeypatch
):
    settings = tiny_settings(tmp_path, tiny_checkpoint)
    monkeypatch.setitem(environment, "DARKROOM_OUTPUTS", str(settings.outputs))
    taken = claim(settings)
    code, out, err = shell("serve", "--port", "0")
    taken.release()
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "already runs the queue" in err


def test_a_studio_that_cannot_start_is_one_clear_line(environment, tmp_path):
    elsewhere = {"DARKROOM_MODEL": "nope", "DARKROOM_OUTPUTS": str(tmp_path / "outputs")}
    process = start(environment | elsewhere, "serve", "--port", "0")
    _, err = process.communicate()
    assert process.returncode == 1
    [line] = err.splitlines()
    assert "There is no model named “nope”." in line


def test_jobs_outlive_a_stop_in_their_middle_and_none_is_made_twice(environment, tmp_path):
    log = tmp_path / "server.log"
    with serve(environment, "--log", str(log)) as (server, url):
        watcher = start(environment, "generate", PROMPT, "--steps", "300", "--count", "4", "--json")
        first = json.loads(watcher.stdout.readline())
        wishes = [{"prompt": PROMPT, "num_inference_steps": 1, "seed": seed} for seed in (11, 12)]
        waiting = [httpx2.post(f"{url}/api/v1/jobs", json=wish).json()["id"] for wish in wishes]
        httpx2.get(f"{url}/api/v1/images", params={"text": PROMPT}).raise_for_status()
        server.send_signal(signal.SIGTERM)
        _, err = watcher.communicate()
        assert server.wait() == 0
    lost = re.search(r"The connection to the studio at \S+ is lost .*; job (\w+) goes on there", err)
    assert (watcher.returncode, bool(lost)) == (1, True), err

    written = log.read_text()
    assert '"GET /api/v1/images HTTP/1.1" 200' in written
    assert "secret" not in written

    with serve(environment) as (server, _):
        again = start(environment, "jobs", "follow", lost[1], "--json")
        out, err = again.communicate()
        assert again.returncode == 0, err
        for job_id in waiting:
            assert start(environment, "jobs", "follow", job_id).wait() == 0
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
    pictures = [json.loads(line) for line in out.splitlines()]
    assert [picture["seed"] for picture in pictures] == [first["seed"] + index for index in range(4)]
    assert pictures[0] == first
    files = Path(environment["DARKROOM_OUTPUTS"]).glob("tiny/*.png")
    made = sorted(int(re.search(r"seed(\d+)", file.name)[1]) for file in files)
    assert made == sorted([11, 12, *(picture["seed"] for picture in pictures)])
