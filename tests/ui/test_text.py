"""Words that several parts of the pages use."""

from __future__ import annotations

from pipeline.jobs.state import Progress
from ui.parts import text


def test_a_job_that_waits_for_room_at_a_provider_is_not_said_to_be_drawn() -> None:
    assert text.elsewhere(Progress(provider="Kling")) == "Kling is drawing"
    assert text.elsewhere(Progress(provider="Kling", crowded=True)) == "Kling: waits for other tasks of the account"
