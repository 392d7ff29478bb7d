"""Chains on the command line: made, kept from the last picture, run again by their name."""

import json

import pytest

from pipeline.commands.chains import stage
from pipeline.errors import InvalidRequest


def test_a_chain_is_run_kept_and_run_again_with_other_words(shell):
    steps = ("--steps", "2", "--seed", "3", "--json")
    code, out, err = shell(
        "generate", "a red house", "--then", "plain,strength=0.8,steps=3,prompt=blue, and large", *steps
    )
    assert code == 0, err
    first, last = map(json.loads, out.splitlines())
    assert (first["recipe"]["model"], last["recipe"]["model"]) == ("tiny", "plain")
    assert (last["recipe"]["prompt"], last["recipe"]["num_inference_steps"]) == ("blue, and large", 3)

    code, out, _ = shell("chains", "keep", "two houses", last["path"])
    assert (code, out) == (0, "“two houses” is kept, with 2 stages.\n")
    code, out, _ = shell("chains", "list")
    assert (code, out.split()) == (0, ["two", "houses", "tiny", "→", "plain"])
    code, out, _ = shell("chains", "show", "two houses")
    assert json.loads(out)["then"][0]["model"] == "plain"

    code, out, err = shell("generate", "a red house", "--chain", "two houses", "--seed", "3", "--json")
    assert code == 0, err
    assert [json.loads(line)["sha256"] for line in out.splitlines()] == [first["sha256"], last["sha256"]]

    assert shell("chains", "remove", "two houses")[0] == 0
    code, _, err = shell("generate", "x", "--chain", "two houses")
    assert (code, err) == (1, "Error: There is no chain named “two houses”. None is kept yet.\n")


def test_a_stage_is_read_and_what_it_has_not_is_told():
    assert stage("") == {"model": None}
    assert stage("sdxl,upscale=2,strength=0.3") == {"model": "sdxl", "upscale": {"factor": "2"}, "strength": "0.3"}
    enlarged = {"factor": "4", "upscaler": "darkroom-x4"}
    assert stage("demo,upscale=4,upscaler=darkroom-x4") == {"model": "demo", "upscale": enlarged}
    with pytest.raises(InvalidRequest, match="“mask” is nothing that a stage has"):
        stage("sdxl,mask=1")
