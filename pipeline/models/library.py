"""The studio's models: the known checkpoints, their files, and what lies beside them, for pages, API and shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from pydantic import TypeAdapter

from pipeline.errors import EngineFailed, InvalidRequest, UnknownModel
from pipeline.models import cache
from pipeline.models.cache import CacheEntry
from pipeline.models.checker import Checker, CheckState
from pipeline.models.controlnets import ControlNets
from pipeline.models.files import account, hub, stored
from pipeline.models.files.fetch import Fetcher, FetchState
from pipeline.models.files.stored import Inventory, Problem
from pipeline.models.finding import Finding
from pipeline.models.hardware import Hardware
from pipeline.models.own import add
from pipeline.models.own.shelf import Shelf
from pipeline.models.planning.plan import Plan, plan_for
from pipeline.models.registry import ROOT, Model, ModelRecord, Registry
from pipeline.models.segmenters import Segmenter, chosen
from pipeline.models.upscalers import Upscaler, upscalers
from pipeline.request import GenerationRequest
from pipeline.settings import Settings

_PATIENCE = 15.0
"""Seconds for a download to let go of its files."""
_FINDINGS = TypeAdapter(dict[str, list[Finding]])


class Library:
    """What can run here, and the way to get it. For any thread."""

    def __init__(self, settings: Settings) -> None:
        """Raises `BadSettings` for a file of records that cannot be read."""
        self._settings = settings
        self.refresh()
        self._fetcher = Fetcher()
        self._checker = Checker(lambda record: self.check([record.id])[record.id])
        self.shelf = Shelf(settings.weights)

    def close(self) -> None:
        """Stop what is being fetched and checked; what is here stays."""
        self._fetcher.close()
        self._checker.close()

    # -- records ------------------------------------------------------------------------------------------------

    @property
    def records(self) -> tuple[ModelRecord, ...]:
        """Every known checkpoint."""
        return self.registry.records

    @property
    def controlnets(self) -> ControlNets:
        """The ControlNets, one's own as they are on the disk now."""
        return ControlNets.read(self._settings.weights)

    def plan(self, record: ModelRecord, request: GenerationRequest, hardware: Hardware) -> Plan:
        """The plan of `request` with the model of `record`, its ControlNets included, by what is on this disk. Raises
        `NotFound` for an unknown net, and `InvalidRequest` for what the device cannot do."""
        beside = self.controlnets.bytes(request) if request.controls else 0
        return plan_for(record, request, hardware, self.records, beside)

    def find(self, name: str) -> ModelRecord:
        """The checkpoint that `name` means: an id, or a unique short form of one. Raises `UnknownModel`, and not before
        the records were read anew: a command may have added it in another process. Raises `InvalidRequest` for a
        hosted model."""
        try:
            return self.registry.find(name)
        except UnknownModel:
            self.refresh()
            return self.registry.find(name)

    def find_any(self, name: str) -> Model:
        """As `find`, but of hosted models too."""
        try:
            return self.registry.find_any(name)
        except UnknownModel:
            self.refresh()
            return self.registry.find_any(name)

    def refresh(self) -> None:
        """Read the records anew: the file of one's own ones, and the folder of checkpoints."""
        settings = self._settings
        self.registry = Registry.read(settings.models_file, settings.weights, settings.hosted_file)
        self._added = add.ids(self._settings.models_file)

    def add(self, source: str) -> ModelRecord:
        """Add a hub repository, a diffusers folder or a `.safetensors` file of a known family, and return its record.

        Raises `InvalidRequest` for what is of no known family or known already, and `ModelUnavailable`.
        """
        return self._keep(add.from_anything(source, self.records))

    def add_from_hub(self, repository: str) -> ModelRecord:
        """Add a hub repository, as `add` does: for callers who may not name what is on this disk."""
        return self._keep(add.from_hub(repository, self.records))

    def _keep(self, record: ModelRecord) -> ModelRecord:
        if any(known.id == record.id for known in self.records):
            raise InvalidRequest(f"{record.id} is known already.", "Nothing needs to be done.", field="model")
        add.append(self._settings.models_file, record)
        self.refresh()
        return self.find(record.id)

    def forget(self, model: str) -> None:
        """Take a record of one's own out; its files stay. Raises `UnknownModel` for one that ships with the studio."""
        record = self.find(model)
        add.remove(self._settings.models_file, record.id)
        cache.clear(self._settings.cache, record.id)
        self.refresh()

    # -- files --------------------------------------------------------------------------------------------------

    def inventory(self, model: str) -> Inventory:
        """How much of a checkpoint is on this disk. Raises `UnknownModel`."""
        return stored.inventory(self.find(model))

    def is_from_hub(self, model: str) -> bool:
        """Whether files of the checkpoint come from the hub, and can be deleted once they are here. Raises
        `UnknownModel`."""
        return any(not source.is_local for source in hub.sources(self.find(model)))

    def is_added(self, model: str) -> bool:
        """Whether the record is one of one's own file, and can be forgotten. Raises `UnknownModel`."""
        return self.find(model).id in self._added

    def fetch(self, model: str) -> FetchState:
        """Begin to fetch a checkpoint, or go on where it was stopped. Raises `UnknownModel` and `ModelUnavailable`."""
        return self._fetcher.start(self.find(model))

    def fetches(self) -> list[FetchState]:
        """The downloads of this process, the earliest first."""
        return self._fetcher.states()

    def cancel_fetch(self, model: str) -> None:
        """Stop a download; what is here stays. Raises `UnknownModel`."""
        self._fetcher.cancel(self.find(model).id)

    def verify(self, model: str) -> list[Problem]:
        """Read a checkpoint's files and name those that are missing or damaged. Damaged ones that came from the hub
        are removed, so that the next fetch brings them again. Raises `UnknownModel`."""
        return stored.verify(self.find(model), drop=True)

    def account(self) -> str:
        """Name of the Hugging Face account whose token is set. Asks the hub; raises `ModelUnavailable`."""
        return account.account()

    def remove_files(self, model: str) -> int:
        """Delete a checkpoint's files from the hub's cache, but for those that others need, and its quantised
        components; returns the bytes.

        Raises `UnknownModel`, and `InvalidRequest` for files that did not come from the hub.
        """
        record = self.find(model)
        self._fetcher.cancel(record.id)
        with suppress(KeyError):
            self._fetcher.wait(record.id, timeout=_PATIENCE)
        freed = stored.remove(record, keep=[other for other in self.records if other.id != record.id])
        return freed + cache.clear(self._settings.cache, record.id)

    def upscalers(self) -> list[Upscaler]:
        """What can make a picture larger, usable or not; those of one's own are on the `shelf`."""
        return upscalers(self.shelf)

    def segmenter(self) -> Segmenter:
        """The segmentation model that selects with a click. Raises `ModelUnavailable` when none is here."""
        return chosen(self._settings.weights)

    # -- quantised components -----------------------------------------------------------------------------------

    def cached(self) -> list[CacheEntry]:
        """The quantised components on disk."""
        return cache.list_entries(self._settings.cache)

    def clear_cache(self, model: str | None = None) -> int:
        """Delete the quantised components of a model, or all; returns the bytes. Raises `UnknownModel`."""
        return cache.clear(self._settings.cache, self.find(model).id if model else None)

    # -- self-test ----------------------------------------------------------------------------------------------

    def check(self, names: Sequence[str]) -> dict[str, list[Finding]]:
        """What can be tried of these models without their weights: id → findings. Takes seconds, in a process with
        torch. Raises `UnknownModel` and `EngineFailed`."""
        ids = [self.find(name).id for name in names]
        command = [sys.executable, "-m", "pipeline.engine.check", "--json", *ids]
        folders = {"DARKROOM_OUTPUTS": str(self._settings.outputs), "DARKROOM_WEIGHTS": str(self._settings.weights)}
        done = subprocess.run(command, cwd=ROOT, env=os.environ | folders, capture_output=True, text=True, check=False)
        try:
            return _FINDINGS.validate_python(json.loads(done.stdout))
        except ValueError:
            raise EngineFailed(
                "The models could not be checked.",
                "Run `python -m pipeline doctor`; it says what is missing.",
                details=done.stderr[-4000:],
            ) from None

    def start_check(self, model: str) -> CheckState:
        """Begin to check a checkpoint in the background: its files, or whether it may be had, and the self-test.
        Raises `UnknownModel`."""
        return self._checker.start(self.find(model))

    def checks(self) -> list[CheckState]:
        """The checks of this process, the last one of each checkpoint."""
        return self._checker.states()
