"""A studio with hosted models: what it says of them, and what it does not do for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import BadSettings, InvalidRequest, NotFound
from pipeline.events import SavedImage
from pipeline.jobs.job import Job
from pipeline.request import GenerationRequest, Stage
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.hosted.conftest import HostedStudio
from tests.hosted.mill import MODEL, RECORDS, Mill, add_records, install

REQUEST = GenerationRequest(prompt="a boat", model=MODEL, seed=7)
SEEDED = RECORDS.replace('name = "Wheel"', 'name = "Wheel"\nseed = true')


@pytest.fixture
def mill(monkeypatch: pytest.MonkeyPatch) -> Mill:
    return install(monkeypatch)


@pytest.fixture
def studio(make_settings: Callable[..., Settings], mill: Mill) -> Iterator[Studio]:
    with HostedStudio(add_records(make_settings())) as studio:
        yield studio


@pytest.fixture
def image(studio: Studio) -> SavedImage:
    [image] = studio.submit(REQUEST).result()
    return image


def test_an_estimate_stands_on_earlier_pictures_of_the_model(studio: Studio) -> None:
    assert studio.estimate(REQUEST).seconds is None
    [image] = studio.submit(REQUEST).result()
    found = studio.estimate(REQUEST.model_copy(update={"num_images": 4}))
    assert found.seconds == pytest.approx(2 * image.recipe.seconds)
    assert (found.waits, found.memory_bytes) == (0, None)
    assert found.basis == "from 1 earlier picture with this model here"


@pytest.mark.parametrize(
    "ask",
    [
        lambda studio: studio.plan(REQUEST),
        lambda studio: studio.load(MODEL),
        lambda studio: studio.unload(MODEL),
        lambda studio: studio.count_tokens(MODEL, "a boat"),
        lambda studio: studio.record(MODEL),
    ],
    ids=["plan", "load", "unload", "count_tokens", "record"],
)
def test_what_only_a_checkpoint_has_is_refused_with_the_reason(studio: Studio, ask: Callable[[Studio], object]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(studio)
    told = "Wheel is hosted: there is no checkpoint of it. Choose a model that runs here."
    assert (raised.value.info.sentence, raised.value.info.field) == (told, "model")


def test_a_hosted_model_is_no_part_of_a_chain_wherever_it_stands(studio: Studio, mill: Mill) -> None:
    with pytest.raises(InvalidRequest, match="Wheel cannot be part of a chain"):
        studio.submit(REQUEST.model_copy(update={"then": (Stage(model="tiny"),)}))
    with pytest.raises(InvalidRequest, match="Stage 2: Wheel is hosted"):
        studio.submit(GenerationRequest(prompt="a boat", model="tiny", then=(Stage(model=MODEL),)))
    assert not mill.calls


def test_a_hosted_default_keeps_the_studio_from_starting(make_settings: Callable[..., Settings], mill: Mill) -> None:
    settings = add_records(make_settings())
    with pytest.raises(BadSettings, match="DARKROOM_MODEL cannot be mill/wheel: Wheel is hosted"):
        Studio(settings.model_copy(update={"model": MODEL}))


def test_no_model_named_is_never_a_hosted_one(studio: Studio) -> None:
    assert studio.model(None).id == "tiny"


# -- made again -------------------------------------------------------------------------------------------------


def test_to_compare_a_picture_of_a_provider_nothing_is_ordered(studio: Studio, image: SavedImage, mill: Mill) -> None:
    jobs: list[Job] = []
    found = studio.rerun(image, watch=jobs.append)
    assert (found.file.state, found.state, jobs) == ("intact", "impossible", [])
    assert found.sentence == (
        "It is not made again. The Mill takes no seed for it, so nothing makes the same picture again."
    )
    studio.reruns.start(image.id)
    assert studio.reruns.wait(image.id) == found
    assert len(mill.calls) == 1


def test_nor_where_the_provider_takes_a_seed(make_settings: Callable[..., Settings], mill: Mill) -> None:
    with HostedStudio(add_records(make_settings(), SEEDED)) as studio:
        [image] = studio.submit(REQUEST).result()
        assert "one more order, which may be charged for" in studio.rerun(image).sentence
    assert len(mill.calls) == 1


def test_who_replays_a_picture_of_a_provider_orders_one_more(studio: Studio, image: SavedImage, mill: Mill) -> None:
    [again] = studio.replay(image.recipe).result()
    assert len(mill.calls) == 2
    assert again.recipe.options == image.recipe.options


def test_what_was_made_from_a_picture_of_a_provider_orders_none_that_is_not_kept(
    studio: Studio, image: SavedImage, mill: Mill
) -> None:
    source = studio.desk.take(image).id
    [edited] = studio.submit(REQUEST.model_copy(update={"image": source})).result()
    assert edited.recipe.origin is not None
    assert edited.recipe.origin.hosted is not None
    for file in Path(studio.inputs.folder).iterdir():
        file.unlink()
    with pytest.raises(NotFound, match="The Mill made it: it is not ordered again unasked"):
        studio.replay(edited.recipe)
    assert len(mill.calls) == 2
