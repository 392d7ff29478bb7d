"""What clients send although nobody chose it, and what becomes of it.

`webuiapi` names a sampler, steps, guidance and a size in every request, and most scripts do the same: A1111's own
values, which suit Stable Diffusion 1.5. Where a model cannot do one of them, or was not made for it, its own takes its
place, with a sentence about it. Whatever else a model cannot do somebody chose, and it is refused.
"""

from __future__ import annotations

from api.a1111.fields import Picture
from pipeline.errors import InvalidRequest
from pipeline.gallery.metadata import sampler_of
from pipeline.gallery.translate import Translation, meant_by, split_sampler
from pipeline.models import schedulers
from pipeline.models.registry import ModelRecord

NO_SAMPLER = frozenset({"", "none", "automatic"})
SAMPLERS = frozenset({"euler a", "euler"})
"""The samplers that `webuiapi` and A1111's own description of its interface name where nobody does."""
STEPS, GUIDANCE, SIZE = 20, 7.0, (512, 512)
NO_SCHEDULE = frozenset({"", "none", "automatic", "use same scheduler"})


def settle(body: Picture, record: ModelRecord, found: Translation) -> None:
    """Put sampler, steps, guidance and size of `body`, for the model of `record`, into `found`. Raises
    `InvalidRequest` for a sampler that was chosen and cannot be."""
    found.fields["scheduler"] = _scheduler(body, record, found.notes)
    found.fields["num_inference_steps"] = _steps(body, record, found.notes)
    found.fields["guidance_scale"] = _guidance(body, record, found.notes)
    found.fields["width"], found.fields["height"] = _size(body, record, found.notes)


def samplers(record: ModelRecord) -> dict[str, str]:
    """A1111's names for the samplers that the model can use, its own first, with the classes that they mean."""
    named: dict[str, str] = {}
    for kind in schedulers.of(record):
        named.setdefault(sampler_of(kind), kind)
    return named


def _scheduler(body: Picture, record: ModelRecord, notes: list[str]) -> str | None:
    """The class of the sampler; None is the model's own."""
    name, schedule = split_sampler(body.sampler)
    _check_schedule(body.scheduler, schedule)
    if name.lower() in NO_SAMPLER:
        return None
    usable = samplers(record)
    meant = {kind for label, kind in usable.items() if label.lower() == name.lower()}.union(meant_by(name))
    fitting = [kind for kind in usable.values() if kind in meant]
    if fitting:
        return fitting[0]
    if name.lower() in SAMPLERS:
        notes.append(_replaced(f"{record.name} cannot draw with the sampler {name}", next(iter(usable), "its own")))
        return None
    raise InvalidRequest(
        f"{record.name} cannot draw with the sampler “{name[:40]}”.",
        f"Choose one of: {', '.join(usable)}.",
        field="sampler_name",
    )


def _check_schedule(*names: str) -> None:
    """Raise `InvalidRequest` for a noise schedule that was chosen."""
    for name in names:
        if name.lower() not in NO_SCHEDULE:
            raise InvalidRequest(
                f"The noise schedule “{name[:40]}” cannot be chosen: every sampler keeps the model's own.",
                "Send “Automatic”.",
                field="scheduler",
            )


def _steps(body: Picture, record: ModelRecord, notes: list[str]) -> int | None:
    if body.steps != STEPS or record.steps.min <= STEPS <= record.steps.max:
        return body.steps
    notes.append(_replaced(f"{record.name} is not made for {STEPS} steps", record.steps.default))
    return None


def _guidance(body: Picture, record: ModelRecord, notes: list[str]) -> float | None:
    if body.cfg_scale != GUIDANCE or record.guidance.min <= GUIDANCE <= record.guidance.max:
        return body.cfg_scale
    notes.append(_replaced(f"{record.name} is not made for a guidance of {GUIDANCE:g}", f"{record.guidance.default:g}"))
    return None


def _size(body: Picture, record: ModelRecord, notes: list[str]) -> tuple[int | None, int | None]:
    rule = record.size
    if (body.width, body.height) != SIZE or (all(map(rule.fits, SIZE)) and (not rule.shapes or SIZE in rule.shapes)):
        return body.width, body.height
    notes.append(f"{record.name} cannot make 512 × 512, which clients send where nobody chooses: its own size is used.")
    return None, None


def _replaced(reason: str, value: object) -> str:
    return f"{reason}, which clients send where nobody chooses: {value} is used."
