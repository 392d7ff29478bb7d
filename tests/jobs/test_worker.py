"""What a worker's process is told; what it does is tested with the studio, in `tests/test_studio.py`."""

from __future__ import annotations

from pipeline.jobs.worker import child_environment
from pipeline.models.registry import ROOT


def test_torch_neither_spins_nor_compiles_in_a_worker() -> None:
    found = child_environment({}, {})
    assert (found["OMP_WAIT_POLICY"], found["TORCHDYNAMO_DISABLE"]) == ("PASSIVE", "1")


def test_what_the_user_set_wins_and_what_this_worker_is_given_wins_over_that() -> None:
    own = {"OMP_WAIT_POLICY": "ACTIVE", "CUDA_VISIBLE_DEVICES": "0,1"}
    found = child_environment(own, {"CUDA_VISIBLE_DEVICES": "1"})
    assert (found["OMP_WAIT_POLICY"], found["CUDA_VISIBLE_DEVICES"]) == ("ACTIVE", "1")


def test_a_worker_finds_darkroom_wherever_it_was_started_from() -> None:
    assert child_environment({"PYTHONPATH": "elsewhere"}, {})["PYTHONPATH"].startswith(str(ROOT))
    assert child_environment({"PYTHONPATH": "elsewhere"}, {})["PYTHONPATH"].endswith("elsewhere")
