"""Before the first picture of a comparison is queued: draw what is random, check every cell, and plan the order."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

from pipeline.compare.grid import Axis, Cell, Comparison
from pipeline.compare.submitter import Submitter
from pipeline.errors import DarkroomError, QueueFull
from pipeline.request import MAX_SEED, GenerationRequest


def settle(comparison: Comparison, studio: Submitter) -> Comparison:
    """`comparison` with every random seed drawn and every model by its id, so that it means the same wherever and
    whenever it is made again. Raises `UnknownModel`, and `InvalidRequest` for two names of one model."""
    base, changes = comparison.base, dict[str, object](num_images=1)
    if base.seed < 0:
        changes["seed"] = _draw()
    varied = base.variation_strength > 0 or comparison.goes_through("variation_strength")
    if varied and base.variation_seed < 0:
        changes["variation_seed"] = _draw()
    if not comparison.goes_through("model"):
        changes["model"] = studio.models.find_any(base.model).id if base.model else studio.default.record.id
    return Comparison(
        base=base.model_copy(update=changes),
        columns=_settle_axis(comparison.columns, studio),
        rows=_settle_axis(comparison.rows, studio) if comparison.rows else None,
    )


def check(comparison: Comparison, cells: Iterable[Cell], studio: Submitter) -> None:
    """Raise what the studio says against one of the cells, with the name of that cell."""
    for cell in cells:
        try:
            studio.check(cell.request)
        except DarkroomError as error:
            raise comparison.named(error, cell.column, cell.row) from error


def check_room(count: int, client: str, studio: Submitter) -> None:
    """Raise `QueueFull` when so many more jobs of `client` cannot wait."""
    waiting = [job.client for job in studio.queue() if job.status == "queued"]
    limits = studio.settings
    free = max(0, min(limits.max_queue - len(waiting), limits.max_queue_per_client - waiting.count(client)))
    if count > free:
        raise QueueFull(
            f"The comparison needs {count} places in the queue, and {free} are free.",
            "Wait until other jobs have finished, cancel some, or compare fewer values.",
        )


def in_thrifty_order(requests: Sequence[tuple[int, GenerationRequest]]) -> list[tuple[int, GenerationRequest]]:
    """The same, those of one model together, and among these those of one precision: each change loads the model
    anew."""
    models = list(dict.fromkeys(request.model for _, request in requests))
    precisions = list(dict.fromkeys(request.quantization for _, request in requests))

    def turn(numbered: tuple[int, GenerationRequest]) -> tuple[int, int]:
        return models.index(numbered[1].model), precisions.index(numbered[1].quantization)

    return sorted(requests, key=turn)


def _settle_axis(axis: Axis, studio: Submitter) -> Axis:
    if axis.field == "model":
        return Axis(field="model", values=tuple(studio.models.find_any(str(value)).id for value in axis.values))
    if axis.field == "seed":
        return Axis(field="seed", values=tuple(_draw() if value == -1 else value for value in axis.values))
    return axis


def _draw() -> int:
    return secrets.randbelow(MAX_SEED + 1)
