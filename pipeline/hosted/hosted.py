"""`Hosted`: what providers offer, whether it can be had, and having it made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from pipeline.errors import DarkroomError, NotFound, ProviderFailed
from pipeline.events import Event, Picture
from pipeline.hosted import keys, servers
from pipeline.hosted.call import Call
from pipeline.hosted.develop import develop
from pipeline.hosted.orders import Order, Orders
from pipeline.hosted.ready import ProviderState, Readiness
from pipeline.hosted.receipts import Receipts
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.library import Library
from pipeline.pictures.store import InputStore
from pipeline.request import GenerationRequest
from pipeline.settings import Settings


class Hosted:
    """For any thread."""

    def __init__(self, settings: Settings, models: Library, inputs: InputStore) -> None:
        self._settings, self._models = settings, models
        self._readiness, self._receipts = Readiness(settings), Receipts(settings.data_folder / "hosted")
        self._orders = Orders(self._receipts, inputs)

    # -- who ----------------------------------------------------------------------------------------------------

    @property
    def jobs_at_once(self) -> int:
        """Jobs that each provider may have in hand."""
        return self._settings.hosted_jobs

    @property
    def on(self) -> bool:
        """Whether hosted models may be used at all."""
        return self._readiness.on

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
        return self._readiness.state(provider)

    def provider(self, model: HostedModel) -> Provider:
        """Who offers a model."""
        return self._models.registry.provider(model)

    @property
    def offers(self) -> list[tuple[HostedModel, ProviderState]]:
        """What is offered, usable or not, each with its provider as that stands now; nothing when it is off. A provider
        is looked at once for all its models."""
        states = {state.provider.id: state for state in self.providers}
        return [(model, states[model.provider]) for model in self.models]

    @property
    def usable_models(self) -> tuple[HostedModel, ...]:
        """What can be asked for now."""
        return tuple(model for model, state in self.offers if state.makes(model))

    def check_ready(self, model: HostedModel) -> None:
        """Raise what speaks against asking for a model: `InvalidRequest` when hosted models are off, `ModelRetired`,
        `KeyMissing`, and `DependencyMissing`."""
        model.check_offered()
        self._readiness.check(self.provider(model))

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
        found = next((state.provider for state in self.providers if state.provider.id == provider_id), None)
        if found is None:
            known = ", ".join(state.provider.id for state in self.providers) or "none, since hosted models are off"
            raise NotFound(f"There is no provider {provider_id}.", f"There are {known}.")
        self._readiness.acknowledge(found)
        return self.state(found)

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
        provider = self.provider(model)
        self._readiness.check(provider)
        whole = Call(model, provider, keys.base_url(provider), keys.keys_of(provider), request)
        yield from self._orders.fill(Order(job_id, whole, emit, stop), indices)

    def settle(self, job_id: str, index: int) -> None:
        """A picture is safe in the gallery: nothing more is kept of it here."""
        self._receipts.settle(job_id, index)

    @property
    def under_way(self) -> set[str]:
        """The jobs with calls of which the end is not known."""
        return self._receipts.jobs()

    def recover(self) -> Iterator[tuple[str, Picture]]:
        """The pictures, each with the id of its job, that came before the studio ended and did not reach the gallery.
        What cannot be read stays where it is."""
        for arrived in self._receipts.left():
            with suppress(ProviderFailed):
                yield arrived.job_id, develop(arrived.draft, arrived.data, arrived.index)
