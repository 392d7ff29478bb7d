"""Whether a provider can be asked, and whether somebody has agreed to it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pipeline.errors import DependencyMissing, InvalidRequest, KeyMissing, ModelRetired, NotFound, OutputUnwritable
from pipeline.models.registry import Registry
from pipeline.request import GenerationRequest
from pipeline.settings import Settings
from tests.hosted import as_openai
from tests.hosted.conftest import HostedStudio, Made
from tests.hosted.mill import RECORDS, REQUEST, Mill, add_records


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
