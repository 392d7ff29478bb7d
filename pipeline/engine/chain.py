"""Several models in a row, where each works from the pictures of the one before.

Stage by stage, so that each model is loaded once. What one stage has made is kept as an input of the next, so a chain
that was interrupted goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.engine.engine import Engine
from pipeline.engine.load import Emit
from pipeline.events import Event, Picture, Preview, Step
from pipeline.inputs import InputId
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class _Part:
    """What the engine is asked for at once: pictures of one stage."""

    request: GenerationRequest
    record: ModelRecord
    indices: tuple[int, ...]
    """Of `request`."""
    first: int = 0
    """What is added to them in the whole."""
    is_last: bool = True


def chained(
    engine: Engine,
    request: GenerationRequest,
    records: Sequence[ModelRecord],
    indices: Sequence[int],
    made: Mapping[int, InputId],
    emit: Emit,
    cancelled: Callable[[], bool],
) -> Iterator[Picture]:
    """Yield a picture for each of `indices`, which count on from stage to stage; `records` are the stages' models.

    `made` are the other pictures as far as there are any. Raises as `Engine.generate` does.
    """
    kept = dict(made)
    for stage in range(len(records)):
        for part in _parts(request, records, stage, indices, kept):
            for picture in engine.generate(part.request, part.record, part.indices, _told(part, emit), cancelled):
                index = part.first + picture.index
                if stage + 1 < len(records):
                    kept[index] = engine.keep(picture)
                yield replace(picture, index=index)


def _parts(
    request: GenerationRequest,
    records: Sequence[ModelRecord],
    stage: int,
    indices: Sequence[int],
    kept: Mapping[int, InputId],
) -> Iterator[_Part]:
    """All of the first stage at once; later each picture alone, out of its own one before. A picture without one, which
    a safety checker had blanked, is left out."""
    count, last = request.num_images, indices[-1] if indices else -1
    wanted = [index for index in indices if index // count == stage]
    if stage == 0:
        if wanted:
            yield _Part(request, records[0], tuple(wanted), is_last=wanted[-1] == last)
        return
    for index in wanted:
        if (before := kept.get(index - count)) is not None:
            one = request.stage(stage, before).model_copy(update={"seed": request.seed + index})
            yield _Part(one, records[stage], (0,), first=index, is_last=index == last)


def _told(part: _Part, emit: Emit) -> Emit:
    """`emit` for what happens in `part`, told as part of the whole."""

    def tell(event: Event) -> None:
        if isinstance(event, Step):
            left = event.seconds_left if part.is_last else None
            event = event.model_copy(update={"image_index": part.first + event.image_index, "seconds_left": left})
        elif isinstance(event, Preview):
            event = event.model_copy(update={"image_index": part.first + event.image_index})
        emit(event)

    return tell
