"""Calls of providers for a job: those that are made, and those that were under way when the studio ended.

What has come is on the disk before anything else is done with it, and nothing is ordered twice.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import groupby
from time import perf_counter
from typing import NoReturn, cast

from pipeline.errors import DarkroomError, DependencyMissing, ProviderFailed
from pipeline.events import Asked, Event, Picture, Warned
from pipeline.hosted import refusals
from pipeline.hosted.call import Adapter, Arrival, Call, Line, Stopped, Watch
from pipeline.hosted.develop import develop, draft
from pipeline.hosted.ready import INSTALL
from pipeline.hosted.receipts import Arrived, Begun, Receipts
from pipeline.models.hosted import Provider
from pipeline.pictures.store import InputStore
from pipeline.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Order:
    """What a job wants of a provider."""

    job_id: str
    whole: Call
    """With the request of the whole job."""
    emit: Callable[[Event], None]
    stop: threading.Event
    """When it is set nothing more is ordered."""

    def part(self, begun: Begun) -> Call:
        """The call for some of the pictures, whose seeds go on from the job's own."""
        request = self.whole.request.model_copy(update={"seed": self.whole.request.seed + begun.index})
        return replace(self.whole, request=request, count=begun.count, task=begun.task)

    def index(self, begun: Begun, number: int) -> int:
        """Which picture of the job the picture `number` of a call is. One more than was ordered comes behind all of
        them: it may have been paid for."""
        beyond = number >= begun.count
        return begun.index + number + (self.whole.request.num_pictures - begun.count if beyond else 0)


class Orders:
    """For any thread."""

    def __init__(self, receipts: Receipts, inputs: InputStore) -> None:
        self._receipts, self._inputs = receipts, inputs
        self._lines: dict[str, Line] = {}

    def fill(self, order: Order, indices: Sequence[int]) -> Iterator[Picture]:
        """The pictures `indices` of a job, as they come; when it is stopped, those that were ordered by then.

        Raises what `Adapter.make` raises but `Stopped`, `ModelRetired`, and `DependencyMissing`.
        """
        model, left = order.whole.model, set(indices)
        with suppress(Stopped):
            for begun in self._receipts.begun(order.job_id):
                wanted = left.intersection(range(begun.index, begun.index + begun.count))
                left -= wanted
                yield from self._taken_up(order, begun, wanted)
            for begun in _batches(order.job_id, sorted(left), model.images_per_call):
                if order.stop.is_set():
                    return
                model.check_offered()
                yield from self._called(order, begun, left)

    def _taken_up(self, order: Order, begun: Begun, wanted: set[int]) -> Iterator[Picture]:
        """What is wanted of a call that was under way when the studio ended, where the provider can still be asked for
        it."""
        if wanted and begun.task:
            yield from self._called(order, begun, wanted)
            return
        self._receipts.end(begun)
        if wanted:
            raise refusals.interrupted(order.whole)

    def _called(self, order: Order, begun: Begun, wanted: set[int]) -> Iterator[Picture]:
        """What is wanted of one call, and what came beyond what was ordered, all of it kept by then."""
        versions, started = _versions(order.whole.provider), perf_counter()
        arrivals = self._ordered(order, begun)
        made = partial(draft, order.part(begun), seconds=perf_counter() - started, versions=versions)
        came = [(number, order.index(begun, number), arrival) for number, arrival in enumerate(arrivals)]
        kept = self._kept(order, [one for one in came if one[1] in wanted or one[0] >= begun.count], made)
        self._receipts.end(begun)
        if len(arrivals) != begun.count:
            told = f"Ordered from {order.whole.provider.name}: {begun.count} pictures. Sent: {len(arrivals)}."
            order.emit(Warned(message=told))
        yield from self._developed(kept)

    def _kept(
        self, order: Order, came: Sequence[tuple[int, int, Arrival]], made: Callable[[Arrival, int], Recipe]
    ) -> list[Arrived]:
        """What has come, on the disk: all files first, then how each was made."""
        for _, index, arrival in came:
            self._receipts.keep(order.job_id, index, arrival.data)
        kept = [Arrived(order.job_id, index, made(arrival, number), arrival.data) for number, index, arrival in came]
        for one in kept:
            self._receipts.note(one)
        return kept

    def _ordered(self, order: Order, begun: Begun) -> list[Arrival]:
        """What a provider sends: one picture at least. Nothing is left on record of a call that came to nothing."""
        adapter, call = _adapter(order.whole.provider), order.part(begun)
        asked = Asked(provider=call.provider.name, image_index=begun.index, count=begun.count)
        order.emit(asked)
        self._receipts.begin(begun)
        line = self._lines.setdefault(call.provider.id, Line())
        watch = Watch(order.emit, order.stop, self._noting(begun), self._opening(begun), asked, line)
        try:
            return adapter.make(self._with_pictures(call), watch) or _nothing(call)
        except (DarkroomError, Stopped):
            self._receipts.end(begun)
            raise
        except Exception as error:
            self._receipts.end(begun)
            raise refusals.failed(call, error) from error

    def _noting(self, begun: Begun) -> Callable[[str], None]:
        return lambda task: self._receipts.begin(begun.model_copy(update={"task": task}))

    def _opening(self, begun: Begun) -> Callable[[bool], None]:
        return lambda now: self._receipts.begin(begun) if now else self._receipts.end(begun)

    def _with_pictures(self, call: Call) -> Call:
        """The call with what its request brings along. Raises `NotFound`."""
        image, mask = (self._inputs.get(name) if name else None for name in (call.request.image, call.request.mask))
        return replace(call, image=image and image.convert("RGB"), mask=mask and mask.convert("L"))

    def _developed(self, kept: Sequence[Arrived]) -> Iterator[Picture]:
        """The pictures in files. Raises `ProviderFailed` for the first in which there is none, after all others."""
        broken: list[ProviderFailed] = []
        for one in kept:
            try:
                picture = develop(one.draft, one.data, one.index)
            except ProviderFailed as error:
                where = self._receipts.file(one.job_id, one.index)
                broken.append(ProviderFailed(error.info.message, f"It is kept as it came, in {where}."))
            else:
                yield picture
        if broken:
            raise broken[0]


def _adapter(provider: Provider) -> Adapter:
    try:
        return cast(Adapter, importlib.import_module(f"pipeline.hosted.providers.{provider.adapter}"))
    except ImportError as error:
        message = f"What speaks with {provider.name} cannot be loaded: {error}."
        raise DependencyMissing(message, f"Run `{INSTALL}`, and start the studio again.", field="model") from error


def _nothing(call: Call) -> NoReturn:
    raise refusals.malformed(call, "no picture")


def _batches(job_id: str, indices: Sequence[int], most: int) -> Iterator[Begun]:
    """Calls for pictures that follow one another, so many at most in each."""
    for _, row in groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        run = [index for _, index in row]
        for start in range(0, len(run), most):
            yield Begun(job_id=job_id, index=run[start], count=len(run[start : start + most]))


def _versions(provider: Provider) -> dict[str, str]:
    """The versions of the provider's packages here."""
    return {package: version(package) for package in provider.packages}
