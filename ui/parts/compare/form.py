"""The page's form as data: what it begins with, and the comparison that it makes. Knows no Streamlit.

The form is a mapping that the page keeps in its session, where each of its names begins with `compare_`: the form of
the page that makes single pictures lives there too. Values of an axis have a key for each setting (`values_key`), so
that they are there again when one comes back to it. A number that is None, `OWN` and an empty name mean what each model
does by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pipeline.compare.grid import NAMES, Axis, AxisField, Comparison, parse_comparison
from pipeline.errors import InvalidRequest
from pipeline.models import schedulers
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.request import GenerationRequest, parse_request
from ui import form as single
from ui import hosted, labels
from ui.fields import Fields
from ui.parts.compare import values

Way = Literal["models", "grid", "lab"]
WAYS: dict[Way, str] = {"models": "Models", "grid": "Grid", "lab": "Quantisation lab"}
"""The ways to compare, and what people call them."""
PRECISIONS = {"none": "Full precision", "int8": "INT8", "nf4": "NF4", "nf4-full": "NF4, every layer"}
"""What the lab compares, the reference first."""

AXES: tuple[AxisField, ...] = tuple(NAMES)
"""Settings that can be compared."""
Side = Literal["columns", "rows"]
SIDES: tuple[Side, Side] = ("columns", "rows")
OWN = (0, 0)
"""Stands for each model's own size."""
_SIMPLE: dict[str, str] = {
    "negative_prompt": "compare_negative",
    "num_inference_steps": "compare_steps",
    "guidance_scale": "compare_guidance",
    "seed": "compare_seed",
    "scheduler": "compare_scheduler",
    "quantization": "compare_quantization",
}
"""Settings that have a control of their own where they are not what is compared, each with its key."""
_SHOWN = {*_SIMPLE, "prompt", "model", "width", "height", "num_images"}


class Sides(NamedTuple):
    """Which settings are compared."""

    columns: AxisField
    rows: AxisField | None


def values_key(side: Side, field: AxisField) -> str:
    """Under which the form has the values of a setting on that side of the sheet."""
    return f"compare_{side}_{field}"


def box_key(precision: str) -> str:
    """Under which the form has the lab's box of a precision."""
    return f"compare_precision_{precision}"


def sides(form: Fields) -> Sides:
    """What goes across the sheet and what goes down."""
    way: Way = form["compare_way"]
    if way == "models":
        return Sides("model", None)
    if way == "lab":
        return Sides("quantization", None)
    return Sides(form["compare_columns"], form["compare_rows"] or None)


def models(form: Fields) -> list[str]:
    """Ids of the models that take part."""
    here = sides(form)
    for side, field in zip(SIDES, here, strict=True):
        if field == "model":
            return list(form[values_key(side, field)])
    return [form["compare_model"]]


def blank(record: ModelRecord, here: Sequence[str]) -> dict[str, Any]:
    """The whole form for a newcomer; `here` are ids of models that can run without a download."""
    form: dict[str, Any] = {
        "compare_way": "models" if len(here) > 1 else "grid",
        "compare_prompt": next(iter(record.examples), ""),
        "compare_model": record.id,
        "compare_columns": "num_inference_steps",
        "compare_rows": "guidance_scale",
        "compare_size": OWN,
        "compare_kept": {},
        **dict.fromkeys(_SIMPLE.values()),
        "compare_negative": "",
        "compare_scheduler": "",
        "compare_quantization": "auto",
    }
    for side in SIDES:
        form |= {values_key(side, field): usual for field, usual in _usual(record, here).items()}
    return form


def _usual(record: ModelRecord, here: Sequence[str]) -> dict[AxisField, Any]:
    """Values worth beginning with, for each setting."""
    steps, guidance = record.steps, record.guidance
    few = dict.fromkeys(max(steps.min, steps.default * quarter // 4) for quarter in (1, 2, 4))
    scales = dict.fromkeys([guidance.min, guidance.default, min(2 * guidance.default, guidance.max)])
    precisions = [name for name in PRECISIONS if name != "nf4-full"]
    return {
        "model": list(here[:3]),
        "prompt": "",
        "num_inference_steps": values.written("num_inference_steps", few),
        "guidance_scale": values.written("guidance_scale", scales),
        "seed": "1-4",
        "scheduler": list(schedulers.of(record)[:2]),
        "quantization": precisions,
        "variation_strength": "0-0.4 (+0.1)",
    }


def to_comparison(form: Fields) -> Comparison:
    """The comparison that the form stands for; raises `InvalidRequest` for the first thing that is not right. What is
    wrong with an axis has its `values_key` for a field."""
    here = sides(form)
    columns = _axis(form, "columns", here.columns)
    rows = _axis(form, "rows", here.rows) if here.rows else None
    comparison = parse_comparison({"base": _base(form, here), "columns": columns, "rows": rows})
    comparison.cells()  # which complains about a value that its setting cannot have
    return comparison


def without_prompt(form: Fields) -> Comparison:
    """The same while no prompt is written yet, to count and to complain by."""
    if form["compare_prompt"].strip():
        return to_comparison(form)
    here = sides(form)
    words = [
        str(value)
        for side, field in zip(SIDES, here, strict=True)
        if field == "prompt"
        for value in values.parse("prompt", form[values_key(side, field)])[:1]
    ]
    return to_comparison({**form, "compare_prompt": " ".join(words) or "a picture"})


def _axis(form: Fields, side: Side, field: AxisField) -> Axis:
    given, key = form[values_key(side, field)], values_key(side, field)
    try:
        chosen = values.parse(field, given) if field in values.TYPED else tuple(given)
        if not chosen:
            raise InvalidRequest("Nothing is chosen yet.", "Choose at least one.")
        return Axis(field=field, values=chosen)
    except InvalidRequest as error:
        raise InvalidRequest(error.info.message, error.info.remedy, field=key) from None


def _base(form: Fields, here: Sides) -> GenerationRequest:
    width, height = (side or None for side in form["compare_size"])
    compared = set(here)
    plain = {name: form[key] for name, key in _SIMPLE.items() if name not in compared}
    if plain.get("seed") is None:
        plain["seed"] = -1
    if plain.get("scheduler") == "":
        plain["scheduler"] = None
    return parse_request(
        **form["compare_kept"],
        **plain,
        prompt=form["compare_prompt"],
        model=next(iter(models(form)), None),
        width=width,
        height=height,
    )


def filled(comparison: Comparison, record: Model) -> dict[str, Any]:
    """What changes in a form so that it makes `comparison` again; `record` is that of its base."""
    base, usual = comparison.base, GenerationRequest(prompt="usual").model_dump()
    given = base.model_dump()
    changes: dict[str, Any] = {key: given[name] for name, key in _SIMPLE.items()}
    changes |= {
        "compare_way": way_of(comparison),
        "compare_prompt": base.prompt,
        "compare_model": record.id,
        "compare_seed": None if base.seed < 0 else base.seed,
        "compare_size": (base.width, base.height) if base.width and base.height else OWN,
        "compare_scheduler": base.scheduler or "",
        "compare_kept": {name: value for name, value in given.items() if name not in _SHOWN and value != usual[name]},
        "compare_columns": comparison.columns.field,
        "compare_rows": comparison.rows.field if comparison.rows else "",
    }
    for side, axis in zip(SIDES, (comparison.columns, comparison.rows), strict=True):
        if axis is not None:
            typed = axis.field in values.TYPED
            held = values.written(axis.field, axis.values) if typed else list(axis.values)
            changes[values_key(side, axis.field)] = held
    return changes


def way_of(comparison: Comparison) -> Way:
    """In which way it compares."""
    if comparison.rows is None and comparison.columns.field == "model":
        return "models"
    if comparison.rows is None and comparison.columns.field == "quantization":
        return "lab"
    return "grid"


def sizes(records: Sequence[Model], max_pixels: int) -> dict[tuple[int, int], str]:
    """Sizes that every one of the models can make, each with its name; `OWN` comes first."""
    first = next(iter(records), None)
    offered = hosted.sizes(first) if isinstance(first, HostedModel) else {}
    if isinstance(first, ModelRecord):
        offered = single.presets(first, max_pixels)
    shared = {size: name for size, name in offered.items() if all(_makes(record, size) for record in records)}
    return {OWN: "The model's own", **shared}


def mended(form: Fields, known: Sequence[Model], usual: ModelRecord) -> dict[str, Any]:
    """What changes in a form that the browser filled with names of choices which are called otherwise by now: what a
    model is called changes when it is downloaded, and a model may be forgotten."""
    size = form["compare_size"]
    single_ones = [one for one in known if form["compare_way"] != "lab" or isinstance(one, ModelRecord)]
    changes: dict[str, Any] = {"compare_model": (labels.meant(form["compare_model"], single_ones) or usual).id}
    for side in SIDES:
        key = values_key(side, "model")
        changes[key] = list(dict.fromkeys(found.id for name in form[key] if (found := labels.meant(name, known))))
    return changes | {"compare_size": size if isinstance(size, tuple) else OWN}


def _makes(record: Model, size: tuple[int, int]) -> bool:
    if isinstance(record, HostedModel):
        return bool(hosted.sized(size, record))
    if record.size.shapes:
        return size in record.size.shapes
    return all(map(record.size.fits, size))
