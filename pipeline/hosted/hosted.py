"""`Hosted`: who can be asked for pictures, whether one may, and asking them."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import cast

from pydantic import BaseModel, ConfigDict

from pipeline.errors import (
    DarkroomError,
    DependencyMissing,
    ErrorInfo,
    InvalidRequest,
    NotFound,
    OutputUnwritable,
    ProviderFailed,
)
from pipeline.events import Asked, Event, Picture, Warned
from pipeline.gallery.files import write_atomically
from pipeline.hosted import keys, refusals, servers
from pipeline.hosted.call import Adapter, Arrival, Call, Stopped, Watch
from pipeline.hosted.develop import develop, draft
from pipeline.hosted.receipts import Arrived, Begun, Receipts
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.library import Library
from pipeline.pictures.store import InputStore
from pipeline.request import GenerationRequest
from pipeline.settings import Settings

INSTALL = ".venv/bin/pip install -r requirements-hosted.txt"


class ProviderState(BaseModel):
    """A provider, and whether it can be asked from here."""

    model_config = ConfigDict(frozen=True)

    provider: Provider
    host: str
    """Where prompts go."""
    reason: str = ""
    """Why it cannot be asked, as a sentence; empty when it can."""
    remedy: str = ""
    """What to do about that."""
    acknowledged: bool = False
    """Whether somebody here has said that prompts may go there."""

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return not self.reason


class Hosted:
    """For any thread."""

    def __init__(self, settings: Settings, models: Library, inputs: InputStore) -> None:
        self._settings, self._models, self._inputs = settings, models, inputs
        self._receipts = Receipts(settings.data_folder / "hosted")

    # -- who ----------------------------------------------------------------------------------------------------

    @property
    def jobs_at_once(self) -> int:
        """Jobs that each provider may have in hand."""
        return self._settings.hosted_jobs

    @property
    def on(self) -> bool:
        """Whether hosted models may be used at all."""
        return self._settings.hosted == "on"

    @property
    def models(self) -> tuple[HostedModel, ...]:
        """What is offered, usable or not; nothing when it is off."""
        return self._models.registry.hosted if self.on else ()

    @property
    def providers(self) -> list[ProviderState]:
        """Who offers it, and whether they can be asked; nobody when it is off."""
        return [self.state(provider) for provider in self._models.registry.providers] if self.on else []

    def add_server(self, url: str, name: str = "", key_variable: str = "") -> Provider:
        """Ask a server that speaks as OpenAI does, such as another Darkroom, for its models, and know it and them from
        now on; `key_variable` names the variable with its key. One that is known already is asked anew.

        Raises `InvalidRequest`, `KeyMissing`, `ProviderFailed`, and `BadSettings` when it cannot be written down.
        """
        if not self.on:
            raise servers.nobody_is_asked()
        found = servers.ask(url, name, key_variable)
        servers.keep(self._settings.hosted_file, found)
        self._models.refresh()
        return found.provider

    def remove_server(self, provider_id: str) -> None:
        """Forget a server that was added, and its models. Raises `NotFound`, and `BadSettings` as `add_server`."""
        servers.forget(self._settings.hosted_file, provider_id)
        self._models.refresh()

    def state(self, provider: Provider) -> ProviderState:
        """A provider as it stands now."""
        state = ProviderState(
            provider=provider, host=keys.host(keys.base_url(provider)), acknowledged=provider.id in self._acknowledged()
        )
        try:
            self._check_provider(provider)
        except DarkroomError as error:
            return state.model_copy(update={"reason": error.info.message, "remedy": error.info.remedy})
        return state

    def provider(self, model: HostedModel) -> Provider:
        """Who offers a model. Raises `BadSettings` for an own record that names nobody."""
        return self._models.registry.provider(model)

    def usable(self, model: HostedModel) -> bool:
        """Whether a model can be asked for now."""
        return self.hindrance(model) is None

    def hindrance(self, model: HostedModel) -> ErrorInfo | None:
        """What speaks against asking for a model now, if anything does."""
        try:
            self.check_ready(model)
        except DarkroomError as error:
            return error.info
        return None

    def check_ready(self, model: HostedModel) -> None:
        """Raise what speaks against asking for a model: `InvalidRequest` when hosted models are off, `ModelRetired`,
        `KeyMissing`, and `DependencyMissing`."""
        model.check_offered()
        self._check_provider(self.provider(model))

    def notices(self, model: HostedModel, request: GenerationRequest) -> list[str]:
        """What somebody should know before the first prompt goes to a provider; nothing once it is acknowledged."""
        state = self.state(self.provider(model))
        if state.acknowledged:
            return []
        what = "The prompt and the picture are" if request.image else "The prompt is"
        return [f"{what} sent to {state.provider.name} ({state.host})."]

    def acknowledge(self, provider_id: str) -> ProviderState:
        """Note that prompts may go to a provider: that was told, and somebody agreed. Returns how it stands then.

        Raises `NotFound` for a provider that there is not, and `OutputUnwritable`.
        """
        found = next((one for one in self._models.registry.providers if one.id == provider_id), None)
        if found is None or not self.on:
            known = ", ".join(state.provider.id for state in self.providers) or "none, since hosted models are off"
            raise NotFound(f"There is no provider {provider_id}.", f"There are {known}.")
        try:
            write_atomically(self._notes, json.dumps(sorted({*self._acknowledged(), found.id})).encode())
        except OSError as error:
            message = f"{self._notes} cannot be written: {error.strerror}."
            raise OutputUnwritable(message, "Free some space, or correct the folder's permissions.") from None
        return self.state(found)

    def _check_provider(self, provider: Provider) -> None:
        if not self.on:
            message = f"{provider.name} is not asked: hosted models are off here (DARKROOM_HOSTED=off)."
            raise InvalidRequest(message, "Choose a model that runs here.", field="model")
        keys.keys_of(provider)
        needed = {"tenacity": "tenacity"} | provider.packages
        if absent := [package for package, module in needed.items() if not _is_here(module)]:
            message = f"{provider.name} needs {', '.join(absent)}, which the studio itself does not."
            raise DependencyMissing(message, f"Run `{INSTALL}`, and start the studio again.", field="model")

    @property
    def _notes(self) -> Path:
        return self._receipts.folder / "acknowledged"

    def _acknowledged(self) -> set[str]:
        with suppress(OSError, ValueError):
            return set(json.loads(self._notes.read_bytes()))
        return set()

    # -- asking -------------------------------------------------------------------------------------------------

    def lane(self, model_id: str) -> str:
        """The provider that makes a model's pictures; empty for a checkpoint, and for what is not known any more."""
        with suppress(DarkroomError):
            model = self._models.find_any(model_id)
            return model.provider if isinstance(model, HostedModel) else ""
        return ""

    def make(
        self,
        job_id: str,
        request: GenerationRequest,
        model_id: str,
        indices: Sequence[int],
        emit: Callable[[Event], None],
        stop: threading.Event,
    ) -> Iterator[Picture]:
        """The pictures `indices` of a request, as they come; `request.seed` is final. Each is kept until `settle`.

        `stop` ends it before the next call; what is ordered by then still comes. Raises what `check_ready` and
        `Adapter.make` raise, but `Stopped`.
        """
        model = self._models.find_any(model_id)
        if not isinstance(model, HostedModel):
            raise TypeError(f"{model_id} is made here.")
        self.check_ready(model)
        provider = self.provider(model)
        plain = Call(model, provider, keys.base_url(provider), keys.keys_of(provider), request)
        left = set(indices)
        with suppress(Stopped):
            for begun in self._receipts.begun(job_id):
                left -= set(range(begun.index, begun.index + begun.count))
                yield from self._resumed(plain, begun, emit, stop)
            for first, count in _batches(sorted(left), model.images_per_call):
                if stop.is_set():
                    return
                yield from self._called(plain, Begun(job_id=job_id, index=first, count=count), emit, stop)

    def settle(self, job_id: str, index: int) -> None:
        """A picture is safe in the gallery: nothing more is kept of it here."""
        self._receipts.settle(job_id, index)

    def recover(self) -> Iterator[tuple[str, Picture]]:
        """The pictures, each with the id of its job, that came before the studio ended and did not reach the gallery.
        What cannot be read stays where it is."""
        for arrived in self._receipts.left():
            with suppress(ProviderFailed):
                yield arrived.job_id, develop(arrived.draft, arrived.data, arrived.index)

    def _resumed(
        self, plain: Call, begun: Begun, emit: Callable[[Event], None], stop: threading.Event
    ) -> Iterator[Picture]:
        """The pictures of a call that was under way when the studio ended, where the provider can still be asked for
        them."""
        if not begun.task:
            self._receipts.end(begun.job_id, begun.index)
            raise refusals.interrupted(plain)
        yield from self._called(plain, begun, emit, stop)

    def _called(
        self, plain: Call, begun: Begun, emit: Callable[[Event], None], stop: threading.Event
    ) -> Iterator[Picture]:
        """The pictures of one call, once each of them is kept."""
        asked = Asked(provider=plain.provider.name, image_index=begun.index, count=begun.count)
        emit(asked)
        started = perf_counter()
        arrivals = self._ordered(plain, begun, Watch(emit, stop, self._noting(begun), asked))
        seconds, versions = perf_counter() - started, _versions(plain.provider)
        call = _part(plain, begun)
        kept = [
            Arrived(begun.job_id, begun.index + number, draft(call, arrival, number, seconds, versions), arrival.data)
            for number, arrival in enumerate(arrivals[: begun.count])
        ]
        for one in kept:
            self._receipts.put(one)
        self._receipts.end(begun.job_id, begun.index)
        if len(kept) < begun.count:
            emit(Warned(message=f"{plain.provider.name} made {len(kept)} of {begun.count} pictures."))
        for one in kept:
            yield self._developed(one)

    def _ordered(self, plain: Call, begun: Begun, watch: Watch) -> list[Arrival]:
        """What a provider sends; nothing is left on record of a call that it refused."""
        adapter = cast(Adapter, importlib.import_module(f"pipeline.hosted.providers.{plain.provider.adapter}"))
        self._receipts.begin(begun)
        try:
            return adapter.make(self._with_pictures(_part(plain, begun)), watch)
        except (DarkroomError, Stopped):
            self._receipts.end(begun.job_id, begun.index)
            raise
        except Exception as error:
            self._receipts.end(begun.job_id, begun.index)
            raise refusals.failed(plain, error) from error

    def _noting(self, begun: Begun) -> Callable[[str], None]:
        return lambda task: self._receipts.begin(begun.model_copy(update={"task": task}))

    def _with_pictures(self, call: Call) -> Call:
        """The call with what its request brings along. Raises `NotFound`."""
        image, mask = (self._inputs.get(name) if name else None for name in (call.request.image, call.request.mask))
        return replace(call, image=image and image.convert("RGB"), mask=mask and mask.convert("L"))

    def _developed(self, arrived: Arrived) -> Picture:
        try:
            return develop(arrived.draft, arrived.data, arrived.index)
        except ProviderFailed as error:
            where = self._receipts.file(arrived.job_id, arrived.index)
            raise ProviderFailed(error.info.message, f"It is kept as it came, in {where}.") from None


def _part(plain: Call, begun: Begun) -> Call:
    """The call for some pictures of a request, whose seeds go on from its first one's."""
    request = plain.request.model_copy(update={"seed": plain.request.seed + begun.index})
    return replace(plain, request=request, count=begun.count, task=begun.task)


def _batches(indices: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Indices in a row, so many at most: the first of them, and how many."""
    for _, row in groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        run = [index for _, index in row]
        for start in range(0, len(run), most):
            yield run[start], len(run[start : start + most])


def _versions(provider: Provider) -> dict[str, str]:
    """The versions of the provider's packages here."""
    return {package: version(package) for package in provider.packages}


def _is_here(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False
