"""Whether a provider can be asked, and whether somebody has agreed to it."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.errors import DarkroomError, DependencyMissing, InvalidRequest, OutputUnwritable
from pipeline.gallery.files import write_atomically
from pipeline.hosted import keys
from pipeline.models.hosted import HostedModel, Provider
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

    def makes(self, model: HostedModel) -> bool:
        """Whether one of its models can be asked for now."""
        return self.ready and not model.is_retired()


class Readiness:
    """What stands between this studio and providers. For any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._writing = threading.Lock()

    @property
    def on(self) -> bool:
        """Whether hosted models may be used at all."""
        return self._settings.hosted == "on"

    def check(self, provider: Provider) -> None:
        """Raise what speaks against asking a provider: `InvalidRequest` when hosted models are off, `KeyMissing`, and
        `DependencyMissing`."""
        if not self.on:
            message = f"{provider.name} is not asked: hosted models are off here (DARKROOM_HOSTED=off)."
            raise InvalidRequest(message, "Choose a model that runs here.", field="model")
        keys.keys_of(provider)
        needed = {"tenacity": "tenacity"} | provider.packages
        if absent := [package for package, module in needed.items() if not _is_here(module)]:
            message = f"{provider.name} needs {', '.join(absent)}, which the studio itself does not."
            raise DependencyMissing(message, f"Run `{INSTALL}`, and start the studio again.", field="model")

    def state(self, provider: Provider) -> ProviderState:
        """A provider as it stands now."""
        host, agreed = keys.host(keys.base_url(provider)), provider.id in self._acknowledged()
        state = ProviderState(provider=provider, host=host, acknowledged=agreed)
        try:
            self.check(provider)
        except DarkroomError as error:
            return state.model_copy(update={"reason": error.info.message, "remedy": error.info.remedy})
        return state

    def acknowledge(self, provider: Provider) -> None:
        """Note that prompts may go to a provider: that was told, and somebody agreed. Raises `OutputUnwritable`."""
        try:
            with self._writing:
                write_atomically(self._notes, json.dumps(sorted({*self._acknowledged(), provider.id})).encode())
        except OSError as error:
            message = f"{self._notes} cannot be written: {error.strerror}."
            raise OutputUnwritable(message, "Free some space, or correct the folder's permissions.") from None

    @property
    def _notes(self) -> Path:
        return self._settings.data_folder / "hosted" / "acknowledged"

    def _acknowledged(self) -> set[str]:
        with suppress(OSError, ValueError, TypeError):
            return set(json.loads(self._notes.read_bytes()))
        return set()


def _is_here(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False
