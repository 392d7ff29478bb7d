"""The sidebar's fields as data: what they begin with, and the request that they make. Knows no Streamlit.

The form is a mapping with the names of `GenerationRequest`'s fields; the page keeps it in its session. Where a field
has several controls, each has a key of its own: `precision_key` of a component, `weight_key` of a LoRA.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.errors import InvalidRequest
from pipeline.inputs import USUAL_STRENGTH, Task
from pipeline.models import schedulers
from pipeline.models.architectures import ARCHITECTURES
from pipeline.models.registry import Model, ModelRecord
from pipeline.request import GenerationRequest, parse_request
from ui import maps, stages
from ui.fields import Fields
from ui.presets import NO_STYLE

MAX_IMAGES = 4
"""Pictures that one click may ask for."""

CUSTOM = (0, 0)
"""Stands for a size of one's own among the presets."""

CHANGE, REPAINT, EXTEND = "image", "mask", "outpaint"
WAYS: dict[str, Task] = {CHANGE: "image", REPAINT: "inpaint", EXTEND: "inpaint"}
"""What can be done with a picture → the task that a model must have a pipeline for."""

SIDES = ("left", "top", "right", "bottom")
FEATHER = 8
"""Pixels, to begin with."""

OWN = ""
"""Stands for the scheduler that the model comes with."""

Size = tuple[int, int]
COMMON: tuple[Size, ...] = (
    (512, 512),
    (768, 768),
    (1024, 1024),
    (1024, 768),
    (768, 1024),
    (1280, 720),
    (720, 1280),
)
"""Sizes that people ask for, whatever the model."""

_RATIOS = (3 / 2, 2 / 3, 16 / 9, 9 / 16)
_WIDE = 1.6
"""From this ratio of the sides on a picture is wide or tall."""
_SHAPES = ("Square", "Landscape", "Portrait", "Wide", "Tall")
_WORTH = 0.1
"""Share of linear layers from which it makes sense to choose the precision of a component."""


def precision_key(component: str) -> str:
    """Under which the form has the precision of a single component."""
    return f"precision_{component}"


def weight_key(lora: str) -> str:
    """Under which the form has the weight of a LoRA."""
    return f"weight_{lora}"


def margin_key(side: str) -> str:
    """Under which the form has the pixels by which a picture is extended at that side."""
    return f"outpaint_{side}"


def no_picture() -> dict[str, Any]:
    """The fields about a picture to work from, when there is none."""
    return {
        "image": None,
        "image_notes": (),
        "way": CHANGE,
        "strength": USUAL_STRENGTH["image"],
        "fit": "crop",
        "mask": None,
        "mask_feather": FEATHER,
        "mask_area": "whole",
        **{margin_key(side): 0 for side in SIDES},
    }


def ways(record: ModelRecord) -> list[str]:
    """What the model can do with a picture."""
    return [way for way, task in WAYS.items() if task in record.pipelines]


def way_of(request: GenerationRequest) -> str:
    """What `request` does with its picture."""
    return REPAINT if request.mask else EXTEND if request.outpaint else CHANGE


def usual_strength(way: str) -> float:
    """How much of a picture is drawn anew, to begin with."""
    return USUAL_STRENGTH[WAYS[way]]


def presets(record: Model, max_pixels: int) -> dict[Size, str]:
    """Sizes worth offering, each with its name: the native one first, then by shape, those that the model can make."""
    native = record.size.native
    near = [_near(math.prod(native), ratio, record.size.multiple) for ratio in _RATIOS]
    made = record.size.shapes or [size for size in (*COMMON, *near) if all(map(record.size.fits, size))]
    offered = [size for size in made if math.prod(size) <= max_pixels]
    offered.sort(key=lambda size: (_SHAPES.index(_name(*size)), math.prod(size)))
    return {size: f"{_name(*size)} · {size[0]} × {size[1]}" for size in dict.fromkeys([native, *offered])}


def size_of(form: Fields) -> Size:
    """Width and height that the form asks for, in pixels."""
    return (form["width"], form["height"]) if form["size"] == CUSTOM else form["size"]


def turned(form: Fields, record: ModelRecord, max_pixels: int) -> dict[str, Any] | None:
    """The size with width and height exchanged, as fields of the form; None where that changes nothing, or where the
    model cannot make it."""
    height, width = size_of(form)
    known = (width, height) in presets(record, max_pixels)
    if width == height or (record.size.shapes and not known):
        return None
    size = (width, height) if known and form["size"] != CUSTOM else CUSTOM
    return {"size": size, "width": width, "height": height}


def takes_guidance(record: Model) -> bool:
    """Whether there is anything to choose about guidance."""
    return record.guidance is not None and record.guidance.min < record.guidance.max


def takes_steps(record: Model) -> bool:
    """Whether there is anything to choose about steps."""
    return record.steps is not None and record.steps.min < record.steps.max


def usual_sampling(record: Model) -> dict[str, Any]:
    """Steps, guidance and scheduler to begin with; none of what a provider chooses."""
    usual: dict[str, Any] = {"scheduler": OWN}
    if record.steps is not None:
        usual["num_inference_steps"] = record.steps.default
    if record.guidance is not None:
        usual["guidance_scale"] = float(record.guidance.default)
    return usual


def sampling(form: Fields, record: Model) -> dict[str, Any]:
    """Steps, guidance and scheduler as fields of a request: those of the form, and of what is no choice the model's."""
    chosen = usual_sampling(record)
    if takes_steps(record):
        chosen["num_inference_steps"] = form["num_inference_steps"]
    if takes_guidance(record):
        chosen["guidance_scale"] = form["guidance_scale"]
    return chosen | {"scheduler": form["scheduler"] or None}


def components(record: ModelRecord) -> tuple[str, ...]:
    """The components whose precision can be chosen with some effect."""
    known = {name: ARCHITECTURES[key] for name, key in record.components.items()}
    worth = [name for name, kind in known.items() if kind.linear >= _WORTH * kind.parameters]
    return tuple(worth) if record.nf4 else ()


def has_kept_layers(record: ModelRecord) -> bool:
    """Whether four bits leave enough in 16 bits, T5's `wo`, that quantising that too is worth offering."""
    kinds = [ARCHITECTURES[record.components[name]] for name in record.nf4 if name in record.components]
    return any(kind.kept >= _WORTH * kind.linear for kind in kinds)


def defaults(record: ModelRecord) -> dict[str, Any]:
    """What the fields that depend on the model begin with."""
    width, height = record.size.native
    return {
        **usual_sampling(record),
        "size": (width, height),
        "width": width,
        "height": height,
        "upscaler": record.upscaler,
        **_advanced(record),
    }


def common() -> dict[str, Any]:
    """What every form begins with, whatever the model."""
    return {
        "prompt": "",
        "negative_prompt": "",
        "style": NO_STYLE,
        "seed": -1,
        "variation_strength": 0.0,
        "variation_seed": -1,
        "num_images": 1,
        "enlarge": 1,
        "refine": 0.0,
        "stages": 0,
        **no_picture(),
        **maps.none(),
    }


def blank(record: ModelRecord) -> dict[str, Any]:
    """The whole form for a newcomer."""
    return common() | {"model": record.id} | defaults(record)


def filled(request: GenerationRequest, record: ModelRecord, max_pixels: int) -> dict[str, Any]:
    """The form that would make `request` again."""
    given = {name: value for name, value in request.model_dump().items() if value is not None and name in blank(record)}
    form = blank(record) | given | {"model": record.id, "num_images": min(request.num_images, MAX_IMAGES)}
    form |= {precision_key(name): value for name, value in request.component_quantization.items()}
    form |= {weight_key(use.name): use.weight for use in request.loras}
    form["loras"] = [use.name for use in request.loras]
    form |= _picture_of(request) | maps.filled(request) | stages.of_request(request, record.id)
    if form["scheduler"] in schedulers.of(record)[:1]:
        form["scheduler"] = OWN
    return form | sized((form["width"], form["height"]), record, max_pixels)


def sized(size: Size, record: ModelRecord, max_pixels: int) -> dict[str, Any]:
    """A size as fields of the form; none where the model makes fixed shapes and this is not one of them."""
    if size in presets(record, max_pixels):
        return {"size": size, "width": size[0], "height": size[1]}
    return {} if record.size.shapes else {"size": CUSTOM, "width": size[0], "height": size[1]}


def to_request(form: Fields, record: ModelRecord) -> GenerationRequest:
    """The request that the form stands for; raises `InvalidRequest` for the first field that is not right."""
    picture = _picture(form, record)
    width, height = (None, None) if _keeps_size(picture) else size_of(form)
    precisions = {name: form.get(precision_key(name), "auto") for name in components(record)}
    return parse_request(
        prompt=form["prompt"],
        negative_prompt=form["negative_prompt"] if record.negative_prompt else "",
        model=record.id,
        width=width,
        height=height,
        seed=form["seed"],
        variation_strength=form["variation_strength"],
        variation_seed=form["variation_seed"],
        num_images=form["num_images"],
        quantization=form["quantization"],
        component_quantization={name: value for name, value in precisions.items() if value != "auto"},
        offload=form["offload"],
        loras=[{"name": name, "weight": form.get(weight_key(name), 1.0)} for name in form["loras"]],
        vae=form["vae"],
        controls=maps.to_controls(form, record),
        upscale=_upscale(form, record),
        then=stages.to_then(form),
        **sampling(form, record),
        **picture,
    )


def _picture(form: Fields, record: ModelRecord) -> dict[str, Any]:
    """The fields of a request about the picture to work from; none when there is none, or the model can do nothing."""
    way = form["way"]
    if form["image"] is None or way not in ways(record):
        return {}
    fields = {"image": form["image"], "strength": form["strength"], "fit": form["fit"]}
    if way == REPAINT:
        return fields | {"mask": mask_of(form)} | {name: form[name] for name in ("mask_feather", "mask_area")}
    if way == EXTEND:
        margins = {side: form[margin_key(side)] for side in SIDES}
        if not any(margins.values()):
            raise InvalidRequest("No side is extended yet.", "Give at least one some pixels.", field="outpaint")
        return {"image": form["image"], "outpaint": margins}
    return fields


def mask_of(form: Fields) -> str:
    """What is to be drawn anew. Raises `InvalidRequest` while nothing is chosen."""
    if form["mask"] is None:
        raise InvalidRequest("No part is chosen yet.", "Paint over what is to be drawn anew.", field="mask")
    return str(form["mask"])


def _upscale(form: Fields, record: ModelRecord) -> dict[str, Any] | None:
    if form["enlarge"] == 1:
        return None
    strength = form["refine"] if record.draws_over else 0.0
    return {"factor": form["enlarge"], "upscaler": form["upscaler"], "strength": strength}


def _keeps_size(picture: Mapping[str, Any]) -> bool:
    """Whether the result has the size that its picture makes it, whatever the form says."""
    return "outpaint" in picture or picture.get("mask_area") == "masked"


def _picture_of(request: GenerationRequest) -> dict[str, Any]:
    """The fields of the form about the picture that `request` works from."""
    upscale, found = request.upscale, dict[str, Any]()
    if upscale is not None:
        found = {"enlarge": upscale.factor, "upscaler": upscale.upscaler, "refine": upscale.strength}
    if request.image is None or request.task == "enlarge":
        return found | no_picture()
    margins = request.outpaint
    return found | {
        "way": way_of(request),
        "strength": request.used_strength,
        **{margin_key(side): getattr(margins, side) if margins else 0 for side in SIDES},
    }


def changed(form: Fields, record: ModelRecord) -> int:
    """How many of the advanced settings are not as they come."""
    return sum(form.get(name, usual) != usual for name, usual in _advanced(record).items())


def _advanced(record: ModelRecord) -> dict[str, Any]:
    precisions = {precision_key(name): "auto" for name in components(record)}
    return {"scheduler": OWN, "quantization": "auto", **precisions, "offload": "auto", "loras": [], "vae": None}


def _near(area: int, ratio: float, multiple: int) -> Size:
    """The size of about `area` pixels and that ratio whose sides are multiples of `multiple`."""
    return (
        round(math.sqrt(area * ratio) / multiple) * multiple,
        round(math.sqrt(area / ratio) / multiple) * multiple,
    )


def _name(width: int, height: int) -> str:
    """What people call a shape; one of `_SHAPES`."""
    if width == height:
        return "Square"
    ratio = max(width, height) / min(width, height)
    if width > height:
        return "Wide" if ratio >= _WIDE else "Landscape"
    return "Tall" if ratio >= _WIDE else "Portrait"
