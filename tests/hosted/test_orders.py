"""What is ordered, what comes of it otherwise than ordered, and what is taken up after a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.errors import ContentRefused, DependencyMissing, ModelRetired, ProviderFailed
from pipeline.events import Asked
from pipeline.hosted.receipts import Begun, Receipts
from pipeline.settings import Settings
from tests.hosted.conftest import HostedStudio, Made, kept
from tests.hosted.mill import RECORDS, REQUEST, Mill, add_records, as_ordered, files, made, refusing
from tests.hosted.provider_server import picture


def test_only_what_is_left_is_ordered_in_runs_without_gaps(directly: Made, mill: Mill) -> None:
    assert [one.index for one in directly.pictures([0, 2, 3, 4])] == [0, 2, 3, 4]
    assert mill.ordered == [(7, 1), (9, 2), (11, 1)]
    asked = [(event.image_index, event.count) for event in directly.events if isinstance(event, Asked)]
    assert asked == [(0, 1), (2, 2), (4, 1)]


# -- what does not come as ordered ------------------------------------------------------------------------------


def test_fewer_pictures_than_ordered_are_saved_with_a_warning(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(made(1))
    job = mill_studio.submit(REQUEST.model_copy(update={"num_images": 2}))
    assert [image.index for image in job.result()] == [0]
    assert job.state.status == "finished"
    assert "Ordered from The Mill: 2 pictures. Sent: 1." in job.state.warnings


def test_one_more_than_ordered_is_saved_behind_all_others(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(made(3), as_ordered)
    job = mill_studio.submit(REQUEST.model_copy(update={"num_images": 3}))
    assert [image.index for image in job.result()] == [0, 1, 2, 3]
    assert "Ordered from The Mill: 2 pictures. Sent: 3." in job.state.warnings
    assert kept(mill_studio) == []


def test_no_picture_at_all_is_an_error(directly: Made, mill: Mill) -> None:
    mill.answers(files())
    with pytest.raises(ProviderFailed, match="holds no picture"):
        directly.pictures([0])


def test_a_broken_file_is_kept_as_it_came_and_the_others_are_saved(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(files(b"no picture", picture(64, 48)))
    job = mill_studio.submit(REQUEST.model_copy(update={"num_images": 2}))
    with pytest.raises(ProviderFailed, match=f"{job.id}-0.file"):
        job.result()
    assert [image.index for image in job.state.images] == [1]
    assert (mill_studio.settings.data_folder / "hosted" / f"{job.id}-0.file").read_bytes() == b"no picture"


def test_a_refusal_ends_the_job_with_its_sentence_and_orders_no_more(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(as_ordered, refusing(ContentRefused("The Mill does not make this picture.", "Say it otherwise.")))
    job = mill_studio.submit(REQUEST)
    with pytest.raises(ContentRefused, match="Say it otherwise"):
        job.result()
    assert len(mill.calls) == 2
    assert [image.index for image in job.state.images] == [0, 1], "what came before stays"
    assert kept(mill_studio) == []


def test_whatever_else_an_adapter_raises_is_told_without_a_key(directly: Made, mill: Mill) -> None:
    mill.answers(refusing(ZeroDivisionError("in the mill")))
    with pytest.raises(ProviderFailed, match="Asking The Mill failed: “ZeroDivisionError: in the mill”"):
        directly.pictures([0])


def test_an_adapter_that_cannot_be_loaded_is_named_with_what_to_install(
    make_settings: Callable[..., Settings],
) -> None:
    settings = add_records(make_settings(), RECORDS.replace('adapter = "mill"', 'adapter = "absent"'))
    with HostedStudio(settings) as studio, pytest.raises(DependencyMissing, match="requirements-hosted"):
        Made(studio.hosted).pictures([0])


def test_who_is_stopped_gets_what_is_ordered_and_orders_no_more(directly: Made, mill: Mill) -> None:
    def stopping(*given: Any) -> Any:
        directly.stop.set()
        return as_ordered(*given)

    mill.answers(stopping)
    assert [one.index for one in directly.pictures([0, 1, 2, 3])] == [0, 1]
    assert len(mill.calls) == 1


# -- after a restart --------------------------------------------------------------------------------------------


def leave_begun(studio: HostedStudio, task: str = "", index: int = 0, count: int = 2) -> None:
    """What a call that was under way leaves behind."""
    receipts = Receipts(studio.settings.data_folder / "hosted")
    receipts.begin(Begun(job_id="job", index=index, count=count, task=task))


def test_a_call_whose_answer_is_lost_is_not_made_twice(mill_studio: HostedStudio, directly: Made, mill: Mill) -> None:
    leave_begun(mill_studio)
    with pytest.raises(ProviderFailed, match="ended while The Mill was making this picture"):
        directly.pictures([0, 1, 2])
    assert not mill.calls
    assert kept(mill_studio) == []


def test_a_call_that_the_provider_knows_is_waited_for_and_only_the_rest_is_ordered(
    mill_studio: HostedStudio, directly: Made, mill: Mill
) -> None:
    leave_begun(mill_studio, "t-1")
    assert [one.index for one in directly.pictures([0, 1, 2])] == [0, 1, 2]
    assert [(call.task, call.count) for call in mill.calls] == [("t-1", 2), ("", 1)]


def test_of_a_call_that_is_taken_up_only_what_is_missing_is_saved(
    mill_studio: HostedStudio, directly: Made, mill: Mill
) -> None:
    leave_begun(mill_studio, "t-1")
    [found] = directly.pictures([1])
    assert (found.index, found.recipe.seed) == (1, 8)
    assert kept(mill_studio) == ["job-1.file", "job-1.json"]


def test_a_call_of_which_everything_has_come_is_over(mill_studio: HostedStudio, directly: Made, mill: Mill) -> None:
    leave_begun(mill_studio)
    assert [one.index for one in directly.pictures([2])] == [2]
    assert mill.ordered == [(9, 1)]


def test_what_a_provider_has_made_is_fetched_although_its_model_is_retired_since(
    make_settings: Callable[..., Settings], mill: Mill
) -> None:
    settings = add_records(make_settings(), RECORDS + 'retires = 2026-01-31\nreplacement = "mill/wind"\n')
    with HostedStudio(settings) as studio:
        leave_begun(studio, "t-1")
        assert [one.index for one in Made(studio.hosted).pictures([0, 1])] == [0, 1]
        with pytest.raises(ModelRetired, match="Choose mill/wind instead"):
            Made(studio.hosted).pictures([2])
    assert len(mill.calls) == 1
