"""Commands beside a studio that runs: they use it instead of loading the model a second time."""

import json
import signal
import subprocess
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from pipeline.compare.sheet import read_comparison
from pipeline.jobs.claim import claim
from pipeline.pictures.store import input_id
from tests.checkpoints import record_for
from tests.commands.conftest import serve, start
from tests.conftest import tiny_settings, write_models

TOKEN = "sesame"


@pytest.fixture(scope="module")
def url(environment):
    """The studio that runs in the folder of `environment`, and asks for a token. A proxy that is set is not used."""
    environment |= {"DARKROOM_TOKEN": TOKEN, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    with serve(environment) as (_, url):
        yield url


@pytest.fixture
def studio(url):
    """The studio as other programs reach it."""
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
        yield client


def test_pictures_are_made_by_the_studio_that_runs(shell, studio, tmp_path):
    photo = Image.new("RGB", (64, 64), "teal")
    photo.save(tmp_path / "photo.png")
    words = ("a house", "--image", str(tmp_path / "photo.png"), "--strength", "0.6", "--steps", "2", "--seed", "7")
    code, out, err = shell("generate", *words, "--json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert made["recipe"]["image"] == input_id(photo)
    [job] = studio.get("/api/v1/jobs", params={"limit": 1}).json()
    assert (job["images"][0]["path"], job["status"]) == (made["path"], "finished")

    code, out, err = shell("replay", made["path"], "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["sha256"] == made["sha256"]
    assert len(studio.get("/api/v1/jobs").json()) == 2


def test_what_the_studio_refuses_is_told_as_if_it_were_here(shell, url):
    code, out, err = shell("generate", "x", "--width", "100")
    assert (code, out) == (2, "")
    assert err.startswith("Error: --width: Tiny cannot make a picture with width 100.")
    code, _, err = shell("generate", "x", "--model", "nope")
    assert (code, err.startswith("Error: --model: There is no model named “nope”.")) == (2, True)
    code, _, err = shell("jobs", "follow", "0000000000000000")
    assert (code, err.startswith("Error: There is no job")) == (1, True)


def test_without_its_token_the_studio_is_not_to_be_used(shell, url, environment, monkeypatch):
    monkeypatch.setitem(environment, "DARKROOM_TOKEN", "open")
    code, out, err = shell("generate", "x")
    assert (code, out) == (1, "")
    assert err == (
        "Error: The running studio asks for a token, and this is none that it knows. "
        "Set DARKROOM_TOKEN to the value that it was started with.\n"
    )


def test_each_line_of_a_file_is_a_job_and_a_bad_one_stops_no_other(shell, url, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text(f"# boats\n\na boat\n{'x' * 5000}\n  a tree\n", encoding="utf-8")
    code, out, err = shell("generate", "--prompts", str(prompts), "--steps", "1", "--json")
    assert code == 1
    assert [json.loads(line)["recipe"]["prompt"] for line in out.splitlines()] == ["a boat", "a tree"]
    assert err == "Error: Line 4: prompt is longer than 4000 characters. Shorten it.\n"


def test_prompts_come_from_stdin_as_they_are_written(environment, url):
    process = start(environment, "generate", "--prompts", "-", "--steps", "1", "--json", stdin=subprocess.PIPE)
    process.stdin.write("a boat\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["recipe"]["prompt"] == "a boat"
    out, err = process.communicate("a tree\n")
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["recipe"]["prompt"] == "a tree"


def test_a_comparison_becomes_one_sheet(shell, url, tmp_path):
    sheet = tmp_path / "sheet.png"
    axes = ("--columns", "steps=1,2", "--rows", "prompt=red,blue", "--output", str(sheet))
    code, out, err = shell("compare", "a red house", *axes, "--seed", "3", "--json")
    assert (code, err) == (0, "")
    *pictures, last = map(json.loads, out.splitlines())
    made = {(one["recipe"]["num_inference_steps"], one["recipe"]["prompt"]) for one in pictures}
    assert made == {(steps, f"a {colour} house") for steps in (1, 2) for colour in ("red", "blue")}
    assert last["sheet"] == str(sheet)
    assert read_comparison(sheet.read_bytes()).base.seed == 3

    code, out, err = shell("compare", "a red house", *axes)
    assert (code, out) == (2, "")
    assert f"{sheet} is there already." in err


def test_jobs_are_listed_and_stopped(shell, studio):
    jobs = [
        studio.post("/api/v1/jobs", json={"prompt": "a slow boat", "num_inference_steps": 1000}).json() for _ in "ab"
    ]
    code, out, _ = shell("jobs", "list")
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, [job["id"] for job in jobs])
    assert "a slow boat" in out
    code, out, _ = shell("jobs", "list", "--json")
    assert [job["id"] for job in json.loads(out)] == [job["id"] for job in jobs]

    assert shell("jobs", "cancel", jobs[1]["id"])[0] == 0
    assert shell("jobs", "cancel", "--all")[0] == 0
    code, _, err = shell("jobs", "follow", jobs[0]["id"])
    assert (code, err) == (1, "Error: The job was cancelled. What it had made stays.\n")
    assert shell("jobs", "list")[1] == "Nothing is to be done.\n"
    assert shell("jobs", "list", "--all", "--limit", "1")[1].split()[:2] == [jobs[1]["id"], "cancelled"]
    assert shell("jobs", "cancel")[0] == 2


def test_ctrl_c_stops_the_job_in_the_studio_too(environment, studio):
    process = start(environment, "generate", "x", "--steps", "300", "--count", "16", "--json")
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert Path(first["path"]).is_file()
    [job] = studio.get("/api/v1/jobs", params={"limit": 1}).json()
    assert job["status"] == "cancelled"


def test_a_model_that_another_process_adds_is_known_to_the_studio(shell, url, environment, tiny_checkpoint):
    names = ("tiny", "plain", "late")
    records = [record_for(tiny_checkpoint, id=name, name=name.title()) for name in names]
    write_models(Path(environment["DARKROOM_OUTPUTS"]) / ".darkroom" / "models.toml", *records)
    code, out, err = shell("generate", "a boat", "--model", "late", "--steps", "1", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["recipe"]["model"] == "late"


def test_a_studio_that_does_not_answer_is_told(shell, tmp_path, tiny_checkpoint, environment, monkeypatch):
    settings = tiny_settings(tmp_path, tiny_checkpoint)
    monkeypatch.setitem(environment, "DARKROOM_OUTPUTS", str(settings.outputs))
    taken = claim(settings)
    taken.announce("http://127.0.0.1:9")
    code, out, err = shell("generate", "x")
    taken.release()
    assert (code, out) == (1, "")
    assert err.startswith("Error: The studio that runs at http://127.0.0.1:9 does not answer: ")
    assert "--alone" in err
    code, _, err = shell("jobs", "list")
    assert (code, err.startswith("Error: No studio runs in this outputs folder")) == (1, True)
