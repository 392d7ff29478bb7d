"""Comparisons as a person uses them, with a real worker and real files; only the checkpoint is tiny."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.compare.comparisons import Comparisons, ComparisonState
from pipeline.compare.sheet import read_comparison
from pipeline.compare.stored import ComparisonFiles, StoredCell, StoredComparison
from pipeline.errors import (
    DarkroomError,
    InvalidRequest,
    JobCancelled,
    NotFound,
    OutputUnwritable,
    QueueFull,
    UnknownModel,
)
from pipeline.events import Step
from pipeline.jobs.job import Job
from pipeline.request import GenerationRequest
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.compare.conftest import compared, fingerprints, finished

MakeSettings = Callable[..., Settings]
ROOT = Path(__file__).parents[2]


def wait_for_a_step(studio: Studio, state: ComparisonState) -> None:
    """Until the first cell is being drawn."""
    next(event for event in studio.job(state.cells[0].job.id).events() if isinstance(event, Step))


def jobs_made_after(studio: Studio, before: int) -> list[Any]:
    """The jobs that were queued since there were `before`, oldest first."""
    return studio.jobs(limit=500)[::-1][before:]


# -- starting ---------------------------------------------------------------------------------------------------------


def test_every_picture_of_a_sheet_is_made_at_its_place_with_one_seed(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"guidance_scale": [1, 4]}, {"num_inference_steps": [1, 2]}))
    assert state.comparison.base.seed >= 0
    state = finished(studio, state)
    recipes = [cell.job.images[0].recipe for cell in state.cells]
    assert {recipe.seed for recipe in recipes} == {state.comparison.base.seed}
    assert [(recipe.guidance_scale, recipe.num_inference_steps) for recipe in recipes] == [
        (1, 1),
        (4, 1),
        (1, 2),
        (4, 2),
    ]
    assert [(cell.column, cell.row) for cell in state.cells] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert (state.done, state.missing, state.ended) == (4, 0, True)


def test_random_seeds_of_an_axis_are_drawn_once(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"seed": [-1, 5]}))
    drawn, given = state.comparison.columns.values
    assert drawn >= 0  # type: ignore[operator]
    assert given == 5
    assert [cell.job.seed for cell in state.cells] == [drawn, 5]


def test_variations_of_one_picture_go_the_same_way(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"variation_strength": [0.1, 0.5]}))
    assert state.comparison.base.variation_seed >= 0
    assert len({cell.job.request.variation_seed for cell in state.cells}) == 1


def test_models_are_kept_by_their_ids_and_one_is_loaded_after_the_other(studio: Studio) -> None:
    before = len(studio.jobs(limit=500))
    state = studio.comparisons.start(compared({"model": ["tiny", "plain"]}, {"seed": [1, 2]}))
    assert [job.model for job in jobs_made_after(studio, before)] == ["tiny", "tiny", "plain", "plain"]
    assert [cell.job.model for cell in finished(studio, state).cells] == ["tiny", "plain", "tiny", "plain"]


def test_the_default_model_is_written_down_so_that_another_default_changes_nothing(studio: Studio) -> None:
    assert studio.comparisons.start(compared({"seed": [1]})).comparison.base.model == "tiny"


def test_two_names_of_one_model_are_refused(studio: Studio) -> None:
    with pytest.raises(InvalidRequest, match=r"Model stable-diffusion-3\.5-medium is there twice"):
        studio.comparisons.start(
            compared({"model": ["stable-diffusion-3.5-medium", "stabilityai/stable-diffusion-3.5-medium"]})
        )


@pytest.mark.parametrize(
    ("comparison", "message", "field"),
    [
        (compared({"num_inference_steps": [1, 2]}, width=65), "“Steps 1”: Tiny cannot", "width"),
        (compared({"model": ["tiny", "nope"]}), "nope", "model"),
        (compared({"scheduler": ["Nonsense"]}, {"seed": [1]}), "“Scheduler Nonsense, Seed 1”: ", "scheduler"),
        (compared({"seed": [1]}, loras=[{"name": "missing"}]), "“Seed 1”: ", "loras"),
    ],
)
def test_when_one_picture_cannot_be_made_it_is_named_and_nothing_is_queued(
    studio: Studio, comparison: Any, message: str, field: str
) -> None:
    jobs, comparisons = studio.jobs(limit=500), studio.comparisons.newest()
    with pytest.raises((InvalidRequest, UnknownModel, NotFound)) as caught:
        studio.comparisons.start(comparison)
    assert message in caught.value.info.message
    assert caught.value.info.remedy
    assert caught.value.info.field == field
    assert studio.jobs(limit=500) == jobs
    assert studio.comparisons.newest() == comparisons


def test_a_sheet_for_which_the_queue_has_no_room_is_refused_whole(make_settings: MakeSettings) -> None:
    with Studio(make_settings(max_queue=6, max_queue_per_client=3)) as studio:
        studio._dispatcher.crew.slots[0].ready = False
        with pytest.raises(QueueFull, match="needs 4 places in the queue, and 3 are free"):
            studio.comparisons.start(compared({"seed": [1, 2, 3, 4]}), client="ann")
        assert studio.jobs() == []
        studio.comparisons.start(compared({"seed": [1, 2, 3]}), client="ann")
        studio.comparisons.start(compared({"seed": [1, 2]}), client="ben")
        with pytest.raises(QueueFull, match="needs 2 places in the queue, and 1 are free"):
            studio.comparisons.start(compared({"seed": [1, 2]}), client="cat")


class Grudging:
    """A studio that takes a number of jobs and then has no place for more."""

    def __init__(self, studio: Studio, takes: int) -> None:
        self._studio, self._takes = studio, takes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._studio, name)

    def submit(self, request: GenerationRequest, *, client: str, idempotency_key: str | None) -> Job:
        self._takes -= 1
        if self._takes < 0:
            raise OutputUnwritable("The disk is full.", "Free some space.")
        return self._studio.submit(request, client=client, idempotency_key=idempotency_key)


def test_when_a_picture_is_refused_in_the_middle_the_others_are_cancelled(studio: Studio, tmp_path: Path) -> None:
    before = len(studio.jobs(limit=500))
    comparisons = Comparisons(tmp_path, Grudging(studio, takes=2))
    with pytest.raises(OutputUnwritable, match="“Seed 3”: The disk is full") as caught:
        comparisons.start(compared({"seed": [1, 2, 3]}, num_inference_steps=1000))
    assert caught.value.info.remedy == "Free some space."
    assert comparisons.newest() == []
    queued = jobs_made_after(studio, before)
    assert len(queued) == 2
    for job in queued:
        with pytest.raises(JobCancelled):
            studio.job(job.id).result(timeout=300)


def test_a_resume_that_is_refused_leaves_the_sheet_as_it_was_and_can_be_tried_again(
    studio: Studio, tmp_path: Path
) -> None:
    comparisons = Comparisons(tmp_path, studio)
    state = comparisons.start(compared({"seed": [1, 2, 3]}))
    comparisons.cancel(state.id)
    before = [cell.job.id for cell in finished_or_cancelled(studio, comparisons, state).cells]
    with pytest.raises(OutputUnwritable):
        Comparisons(tmp_path, Grudging(studio, takes=1)).resume(state.id)
    assert [cell.job.id for cell in comparisons.find(state.id).cells] == before
    resumed = comparisons.resume(state.id)
    for cell in resumed.cells:
        studio.job(cell.job.id).result(timeout=300)
    assert comparisons.find(state.id).done == 3


def finished_or_cancelled(studio: Studio, comparisons: Comparisons, state: ComparisonState) -> ComparisonState:
    for cell in state.cells:
        list(studio.job(cell.job.id).events())
    return comparisons.find(state.id)


def test_what_cannot_be_written_down_is_not_begun(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "comparisons").write_text("a file where the folder should be")
    before = studio.jobs(limit=500)
    with pytest.raises(OutputUnwritable, match="could not be stored"):
        Comparisons(tmp_path / "comparisons", studio).start(compared({"seed": [1, 2]}))
    assert studio.jobs(limit=500) == before


# -- following --------------------------------------------------------------------------------------------------------


def test_progress_places_and_pictures_are_told_for_each_cell(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"seed": [1, 2, 3]}, num_inference_steps=1000))
    wait_for_a_step(studio, state)
    first, second, third = studio.comparisons.find(state.id).cells
    assert (first.job.status, first.job.progress.steps) == ("running", 1000)
    assert [(cell.job.status, cell.job.position) for cell in (second, third)] == [("queued", 1), ("queued", 2)]
    studio.comparisons.cancel(state.id)


def test_each_client_finds_its_own_comparisons_newest_first(studio: Studio) -> None:
    mine = [studio.comparisons.start(compared({"seed": [seed]}), client="dora").id for seed in (1, 2, 3)]
    studio.comparisons.start(compared({"seed": [4]}), client="emil")
    assert [state.id for state in studio.comparisons.newest(client="dora")] == mine[::-1]
    assert [state.id for state in studio.comparisons.newest(client="dora", limit=2)] == mine[:0:-1]
    assert studio.comparisons.newest(limit=1)[0].client == "emil"
    assert {job.client for job in studio.jobs(client="dora")} == {"dora"}


@pytest.mark.parametrize("name", ["0123456789abcdef", "nope", "../studio", "..", ""])
def test_an_unknown_comparison_is_not_found(studio: Studio, name: str) -> None:
    for ask in (studio.comparisons.find, studio.comparisons.cancel, studio.comparisons.resume):
        with pytest.raises(NotFound):
            ask(name)
    with pytest.raises(NotFound):
        studio.comparisons.forget(name)


def test_a_damaged_file_is_passed_over_and_told_once(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    state = studio.comparisons.start(compared({"seed": [1]}))
    folder = studio.settings.data_folder / "comparisons"
    (folder / "00000000deadbeef.json").write_text("{ not json")
    renamed = folder / "00000000feedbeef.json"
    renamed.write_bytes((folder / f"{state.id}.json").read_bytes())
    (folder / "notes.txt").write_text("somebody's notes")
    with caplog.at_level(logging.WARNING):
        ids = [found.id for found in studio.comparisons.newest() + studio.comparisons.newest()]
    assert ids.count(state.id) == 2
    assert not {"00000000deadbeef", "00000000feedbeef"} & set(ids)
    assert [record.getMessage().count(".json cannot be read") for record in caplog.records] == [1, 1]
    with pytest.raises(NotFound):
        studio.comparisons.find("00000000deadbeef")


# -- stopping and going on --------------------------------------------------------------------------------------------


def test_cancelling_stops_what_is_not_finished_and_keeps_the_pictures(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"num_inference_steps": [1, 999, 1000]}))
    studio.job(state.cells[0].job.id).result()
    studio.comparisons.cancel(state.id)
    state = finished_or_cancelled(studio, studio.comparisons, state)
    assert [cell.job.status for cell in state.cells] == ["finished", "cancelled", "cancelled"]
    assert (state.done, state.missing, state.ended) == (1, 2, True)


def test_resuming_makes_what_is_missing_and_nothing_else(studio: Studio) -> None:
    state = finished(studio, studio.comparisons.start(compared({"seed": [1, 2]}, {"guidance_scale": [1, 2]})))
    before = fingerprints(state)
    studio.gallery.delete([state.cells[1].job.images[0].id, state.cells[2].job.images[0].id])
    missing = studio.comparisons.find(state.id)
    assert [cell.missing for cell in missing.cells] == [False, True, True, False]
    assert (missing.done, missing.missing) == (2, 2)

    again = finished(studio, studio.comparisons.resume(state.id))

    assert fingerprints(again) == before
    kept = [one.job.id == other.job.id for one, other in zip(state.cells, again.cells, strict=True)]
    assert kept == [True, False, False, True]
    assert studio.comparisons.resume(state.id) == again


def test_a_deleted_picture_that_is_brought_back_is_in_the_sheet_again(studio: Studio) -> None:
    state = finished(studio, studio.comparisons.start(compared({"seed": [1]})))
    [image] = state.cells[0].job.images
    studio.gallery.delete([image.id])
    assert studio.comparisons.find(state.id).missing == 1
    studio.gallery.restore([image.id])
    assert studio.comparisons.find(state.id).missing == 0


def test_what_waits_is_not_asked_for_twice(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"seed": [1, 2]}, num_inference_steps=1000))
    wait_for_a_step(studio, state)
    assert [cell.job.id for cell in studio.comparisons.resume(state.id).cells] == [cell.job.id for cell in state.cells]


def test_forgetting_a_comparison_stops_it_and_keeps_its_pictures(studio: Studio) -> None:
    state = studio.comparisons.start(compared({"num_inference_steps": [1, 1000]}))
    [image] = studio.job(state.cells[0].job.id).result()
    studio.comparisons.forget(state.id)
    with pytest.raises(NotFound):
        studio.comparisons.find(state.id)
    assert studio.gallery.find(image.id).path is not None
    with pytest.raises(JobCancelled):
        studio.job(state.cells[1].job.id).result()


# -- other studios, and restarts --------------------------------------------------------------------------------------


def test_pictures_of_another_studio_s_queue_are_found_in_the_gallery(make_settings: MakeSettings) -> None:
    settings = make_settings()
    with Studio(settings) as script:
        done = finished(script, script.comparisons.start(compared({"seed": [1, 2]})))
        half = script.comparisons.start(compared({"num_inference_steps": [1, 1000]}))
        script.job(half.cells[0].job.id).result()
    with Studio(settings) as other:
        assert fingerprints(other.comparisons.find(done.id)) == fingerprints(done)
        seen = other.comparisons.find(half.id)
        assert [cell.job.status for cell in seen.cells] == ["finished", "cancelled"]
        assert [cell.missing for cell in seen.cells] == [False, True]


KILLED_WHILE_DRAWING = """
with Studio(Settings(**settings), persistent=True) as studio:
    state = studio.comparisons.start(compared({"seed": [1, 2, 3]}, num_inference_steps=30))
    studio.job(state.cells[0].job.id).result()
    print(state.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_WHILE_QUEUEING = """
class Studio(Studio):
    left = 2
    def submit(self, request, **where):
        if not self.left:
            print(self.comparisons.newest()[0].id, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return super().submit(request, **where)
with Studio(Settings(**settings), persistent=True) as studio:
    studio.comparisons.start(compared({"seed": [1, 2, 3, 4]}))
"""


def killed(settings: Settings, story: str) -> str:
    """Run `story` in a process of its own, which kills itself, and return the id of the comparison that it began."""
    given = {"model": "tiny", "outputs": str(settings.outputs), "cache": str(settings.cache)}
    program = (
        "import json, os, signal, sys\n"
        "from pipeline.settings import Settings\n"
        "from pipeline.studio import Studio\n"
        "from tests.compare.conftest import compared\n"
        "settings = json.loads(sys.argv[1])\n" + story
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(given)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


def test_a_comparison_is_finished_after_the_whole_process_was_killed(make_settings: MakeSettings) -> None:
    settings = make_settings()
    comparison_id = killed(settings, KILLED_WHILE_DRAWING)
    with Studio(settings, persistent=True) as studio:
        state = finished(studio, studio.comparisons.find(comparison_id))
        assert [image.seed for cell in state.cells for image in cell.job.images] == [1, 2, 3]
        assert len(studio.jobs()) == 3


def test_a_process_killed_while_it_queued_a_comparison_leaves_none_half(make_settings: MakeSettings) -> None:
    settings = make_settings()
    comparison_id = killed(settings, KILLED_WHILE_QUEUEING)
    with Studio(settings, persistent=True) as studio:
        state = finished(studio, studio.comparisons.find(comparison_id))
        assert [image.seed for cell in state.cells for image in cell.job.images] == [1, 2, 3, 4]
        assert len(studio.jobs()) == 4


def test_what_cannot_be_taken_up_after_a_restart_is_missing_and_does_not_stop_the_studio(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings()
    comparison_id = killed(settings, KILLED_WHILE_QUEUEING)
    files = ComparisonFiles(settings.data_folder / "comparisons")
    stored = files.get(comparison_id)
    gone = stored.comparison.model_copy(update={"base": stored.comparison.base.model_copy(update={"model": "gone"})})
    files.put(stored.model_copy(update={"comparison": gone}))
    with Studio(settings, persistent=True) as studio:
        state = studio.comparisons.find(comparison_id)
        assert (state.missing, state.ended) == (4, True)
        assert f"Comparison {comparison_id} cannot go on" in caplog.text
        with pytest.raises(DarkroomError):
            studio.comparisons.resume(comparison_id)


def test_while_a_comparison_is_being_queued_its_pictures_wait(studio: Studio, tmp_path: Path) -> None:
    comparison = compared({"seed": [1, 2]}, model="tiny")
    stored = StoredComparison.model_validate(
        {"id": "0" * 16, "client": "ann", "created_at": "2025-11-21T12:00:00Z", "comparison": comparison, "cells": []}
    ).model_copy(update={"cells": (StoredCell(), StoredCell())})
    ComparisonFiles(tmp_path).put(stored)
    comparisons = Comparisons(tmp_path, studio)
    assert [cell.job.status for cell in comparisons.find(stored.id).cells] == ["queued", "queued"]
    comparisons.cancel(stored.id)
    assert [cell.job.status for cell in comparisons.find(stored.id).cells] == ["cancelled", "cancelled"]


# -- taking it away ---------------------------------------------------------------------------------------------------


def test_a_sheet_makes_the_same_pictures_again(make_settings: MakeSettings, studio: Studio) -> None:
    first = finished(
        studio, studio.comparisons.start(compared({"prompt": ["cat", "dog"]}, {"variation_strength": [0.0, 0.4]}))
    )
    sheet = studio.comparisons.sheet(first.id)
    with Studio(make_settings()) as elsewhere:
        again = finished(elsewhere, elsewhere.comparisons.start(read_comparison(sheet)))
    assert again.comparison == first.comparison
    assert fingerprints(again) == fingerprints(first)
    assert len(set(fingerprints(first))) == 4


def test_measurements_compare_with_the_chosen_cell(studio: Studio) -> None:
    state = finished(studio, studio.comparisons.start(compared({"num_inference_steps": [1, 2]}, {"seed": [1, 2]})))
    rows = studio.comparisons.measurements(state.id, reference=2)
    assert [row.reference for row in rows] == [False, False, True, False]
    assert [row.image_id for row in rows] == [cell.job.images[0].id for cell in state.cells]
    studio.gallery.delete([state.cells[0].job.images[0].id])
    assert [row.reference for row in studio.comparisons.measurements(state.id, reference=2)] == [False, True, False]
    for reference in (0, 4):
        with pytest.raises(InvalidRequest, match="not there"):
            studio.comparisons.measurements(state.id, reference)
