"""A studio without workers, whose providers are servers of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from pipeline.events import Asked, Event, Picture, Warned
from pipeline.hosted.call import Call, Line, Watch
from pipeline.hosted.hosted import Hosted
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Registry
from pipeline.request import parse_request
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.hosted.mill import MODEL, REQUEST, Mill, add_records, install
from tests.hosted.provider_server import ProviderServer, provider_server


class HostedStudio(Studio):
    """A studio that makes nothing itself: no worker is ever started."""

    def _worker_environments(self) -> list[Mapping[str, str]]:
        return []


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    """A server that stands for a provider."""
    with provider_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_keys(no_keys: None) -> None:
    """No test here has keys of this machine."""


@pytest.fixture
def hosted_studio(make_settings: Callable[..., Settings]) -> Iterator[HostedStudio]:
    with HostedStudio(make_settings()) as studio:
        yield studio


@pytest.fixture
def mill(monkeypatch: pytest.MonkeyPatch) -> Mill:
    """The adapter of a provider of the tests' own."""
    return install(monkeypatch)


@pytest.fixture
def mill_settings(make_settings: Callable[..., Settings], mill: Mill) -> Settings:
    """Settings of a studio that knows that provider."""
    return add_records(make_settings())


@pytest.fixture
def mill_studio(mill_settings: Settings) -> Iterator[HostedStudio]:
    with HostedStudio(mill_settings) as studio:
        yield studio


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


class Told:
    """What an adapter told while it worked."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.tasks: list[str] = []
        self.open: list[bool] = []
        """Whether the call may be carried out, each time that this changed."""
        self.stop = threading.Event()
        asked = Asked(provider="somebody", image_index=0, count=1)
        self.watch = Watch(self.events.append, self.stop, self.tasks.append, self.open.append, asked, Line())


@pytest.fixture
def told() -> Told:
    return Told()


def call_of(model: HostedModel, base_url: str, **fields: Any) -> Call:
    """A call of a provider at `base_url`, with the keys `secret-1` and so on; `fields` are those of a request and of
    `Call`."""
    provider = Registry.read().provider(model)
    given = {name: fields.pop(name) for name in ("count", "image", "mask", "task") if name in fields}
    secrets = {names[0]: f"secret-{number}" for number, names in enumerate(provider.keys, 1)}
    request = parse_request(**{"prompt": "a boat", "seed": 7} | fields)
    return Call(model, provider, base_url, secrets, request, **given)
