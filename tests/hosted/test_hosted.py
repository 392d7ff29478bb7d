"""From a request to saved pictures, by way of a provider."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import (
    ContentRefused,
    DependencyMissing,
    InvalidRequest,
    KeyMissing,
    ModelRetired,
    NotFound,
    OutputUnwritable,
    ProviderFailed,
)
from pipeline.events import Asked, Event, Picture, Warned
from pipeline.gallery.verify import verify
from pipeline.hosted.hosted import Hosted
from pipeline.models.registry import Registry
from pipeline.request import GenerationRequest
from pipeline.settings import Settings
from tests.hosted import as_openai
from tests.hosted.conftest import HostedStudio
from tests.hosted.mill import MODEL, RECORDS, Mill, add_records, as_ordered, files, made, refusing
from tests.hosted.provider_server import ProviderServer, picture

REQUEST = GenerationRequest(prompt="a boat", model=MODEL, seed=7, num_images=5)


class Made:
    """What came of asking for pictures directly, beside the queue."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted
        self.events: list[Event] = []
        self.stop = threading.Event()

    def pictures(self, indices: list[int], job_id: str = "job", **changes: Any) -> list[Picture]:
        request = REQUEST.model_copy(update=changes)
        return list(self._hosted.make(job_id, request, MODEL, indices, self.events.append, self.stop))

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Warned)]


@pytest.fixture
def directly(mill_studio: HostedStudio) -> Made:
    return Made(mill_studio.hosted)


def kept(studio: HostedStudio) -> list[str]:
    """What lies where orders and arrivals are kept."""
    return sorted(path.name for path in (studio.settings.data_folder / "hosted").glob("*"))


# -- pictures ---------------------------------------------------------------------------------------------------


def test_a_hosted_picture_is_saved_with_its_recipe(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(made(1, model="wheel-1-a", request_id="req-1"))
    [image] = mill_studio.generate("a boat", model=MODEL, seed=7, options={"quality": "high"})
    assert image.path is not None
    assert verify(image.path).state == "intact"
    assert image.recipe.hosted is not None
    assert (image.recipe.hosted.model, image.recipe.hosted.request_id) == ("wheel-1-a", "req-1")
    assert image.recipe.options == mill.calls[0].options == {"quality": "high"}
    assert kept(mill_studio) == []


def test_several_pictures_are_ordered_in_calls_of_as_many_as_the_provider_takes(
    mill_studio: HostedStudio, mill: Mill
) -> None:
    images = mill_studio.submit(REQUEST).result()
    assert mill.ordered == [(7, 2), (9, 2), (11, 1)]
    assert [image.seed for image in images] == [7, 8, 9, 10, 11]


def test_only_what_is_left_is_ordered_in_runs_without_gaps(directly: Made, mill: Mill) -> None:
    assert [one.index for one in directly.pictures([0, 2, 3, 4])] == [0, 2, 3, 4]
    assert mill.ordered == [(7, 1), (9, 2), (11, 1)]
    asked = [(event.image_index, event.count) for event in directly.events if isinstance(event, Asked)]
    assert asked == [(0, 1), (2, 2), (4, 1)]


def test_transparency_reaches_the_gallery_and_the_hash_is_of_the_colours(mill_studio: HostedStudio, mill: Mill) -> None:
    mill.answers(files(picture(64, 48, (9, 9, 9, 128), "RGBA")))
    [image] = mill_studio.generate("a boat", model=MODEL)
    assert image.path is not None
    with Image.open(image.path) as saved:
        assert (saved.mode, saved.getpixel((0, 0))) == ("RGBA", (9, 9, 9, 128))
    assert verify(image.path).state == "intact"


def test_the_picture_and_the_mask_of_a_request_reach_the_adapter(mill_studio: HostedStudio, mill: Mill) -> None:
    image, mask = Image.new("RGB", (64, 48), "navy"), Image.new("L", (64, 48), 255)
    mask.putpixel((0, 0), 0)
    mill_studio.generate("a boat", model=MODEL, image=image, mask=mask)
    [call] = mill.calls
    assert call.image is not None
    assert call.mask is not None
    assert (call.image.mode, call.image.getpixel((0, 0)), call.mask.mode) == ("RGB", (0, 0, 128), "L")


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
    from pipeline.hosted.receipts import Begun, Receipts

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


# -- whether it can be asked ------------------------------------------------------------------------------------


def test_without_a_key_nothing_is_asked(hosted_studio: HostedStudio) -> None:
    with pytest.raises(KeyMissing, match="OPENAI_API_KEY"):
        hosted_studio.submit(GenerationRequest(prompt="a boat", model=as_openai.MODEL))
    assert not hosted_studio.jobs()
    state = next(one for one in hosted_studio.hosted.providers if one.provider.id == "openai")
    assert not state.ready
    assert "OPENAI_API_KEY" in state.remedy


def test_a_package_that_is_missing_is_named(make_settings: Callable[..., Settings], mill: Mill) -> None:
    packages = 'packages = { "mill-sdk" = "mill_sdk.images" }'
    settings = add_records(make_settings(), RECORDS.replace('adapter = "mill"', f'adapter = "mill"\n{packages}'))
    with HostedStudio(settings) as studio, pytest.raises(DependencyMissing, match="The Mill needs mill-sdk"):
        studio.submit(REQUEST)


def test_switched_off_nothing_is_offered_and_nothing_is_asked(
    make_settings: Callable[..., Settings], mill: Mill
) -> None:
    with HostedStudio(add_records(make_settings(hosted="off"))) as studio:
        assert (studio.hosted.models, studio.hosted.providers) == ((), [])
        with pytest.raises(InvalidRequest, match="DARKROOM_HOSTED=off"):
            studio.submit(REQUEST)
        with pytest.raises(InvalidRequest, match="DARKROOM_HOSTED=off"):
            Made(studio.hosted).pictures([0])
        with pytest.raises(NotFound, match="hosted models are off"):
            studio.hosted.acknowledge("mill")
    assert not mill.calls


def test_a_retired_model_fails_before_any_call_and_names_its_successor(
    make_settings: Callable[..., Settings], mill: Mill
) -> None:
    settings = add_records(make_settings(), RECORDS + 'retires = 2026-01-31\nreplacement = "mill/wind"\n')
    with HostedStudio(settings) as studio, pytest.raises(ModelRetired) as raised:
        studio.submit(REQUEST)
    assert raised.value.info.sentence == "Wheel was retired on 31 January 2026. Choose mill/wind instead."
    assert not mill.calls


def test_a_provider_is_acknowledged_once_and_for_all(mill_studio: HostedStudio, mill_settings: Settings) -> None:
    hosted = mill_studio.hosted
    told = "The prompt is sent to The Mill (mill.invalid)."
    assert told in mill_studio.check(REQUEST)
    assert hosted.acknowledge("mill").acknowledged
    assert told not in mill_studio.check(REQUEST)
    with HostedStudio(mill_settings) as again:
        assert [one.provider.id for one in again.hosted.providers if one.acknowledged] == ["mill"]


def test_agreements_at_once_are_all_kept(hosted_studio: HostedStudio) -> None:
    names = [one.id for one in Registry.read().providers]
    threads = [threading.Thread(target=hosted_studio.hosted.acknowledge, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one.acknowledged for one in hosted_studio.hosted.providers)


@pytest.mark.parametrize("damage", ["", "{", "5", "null"])
def test_a_damaged_note_of_agreements_is_none(mill_studio: HostedStudio, damage: str) -> None:
    note = mill_studio.settings.data_folder / "hosted" / "acknowledged"
    note.parent.mkdir()
    note.write_text(damage)
    assert not any(one.acknowledged for one in mill_studio.hosted.providers)


def test_an_agreement_that_cannot_be_kept_is_an_error(mill_studio: HostedStudio) -> None:
    (mill_studio.settings.data_folder / "hosted").write_text("a file where the folder should be")
    with pytest.raises(OutputUnwritable, match="acknowledged cannot be written"):
        mill_studio.hosted.acknowledge("mill")


def test_nobody_else_can_be_acknowledged(mill_studio: HostedStudio) -> None:
    with pytest.raises(NotFound, match="There is no provider windmill"):
        mill_studio.hosted.acknowledge("windmill")


# -- keys -------------------------------------------------------------------------------------------------------


def test_a_key_is_nowhere_to_be_read(
    hosted_studio: HostedStudio,
    provider: ProviderServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    provider.answers(as_openai.images(picture(), picture()))
    [image, _] = hosted_studio.generate("a boat", model=as_openai.MODEL, num_images=2)
    assert provider.asked[0].headers["Authorization"] == "Bearer secret-key"
    told = image.recipe.model_dump_json() + repr(hosted_studio.job(image.job_id).state) + "".join(capfd.readouterr())
    assert "secret-key" not in told
    found = [file for file in hosted_studio.settings.outputs.rglob("*") if file.is_file()]
    assert found
    assert not [file for file in found if b"secret-key" in file.read_bytes()]
