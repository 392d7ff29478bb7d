"""The sidebar's fields for models that providers offer: fewer than a checkpoint has, and options of their own.

As `form`, which has the fields of checkpoints and those that all share. Knows no Streamlit.
"""

from __future__ import annotations

import math
from typing import Any

from pipeline.errors import InvalidRequest
from pipeline.models.hosted import HostedModel
from pipeline.models.hosted_size import HostedSize
from pipeline.models.registry import Model
from pipeline.pictures.fit import nearest_size
from pipeline.request import GenerationRequest, parse_request
from pipeline.studio import Studio
from ui import form, labels
from ui.fields import Fields
from ui.form import Size

_ANY = 2**40
"""More pixels than any picture has: what this machine can hold does not bound what others make."""


def names(studio: Studio) -> dict[str, str]:
    """The hosted models that can be asked now, by id, each with what it is called among others."""
    return {
        one.id: labels.label(one, f"hosted by {studio.hosted.provider(one).name}")
        for one in studio.hosted.usable_models
    }


def offered(studio: Studio) -> list[Model]:
    """Every model that can be chosen: the checkpoints first."""
    return [*studio.models.records, *studio.hosted.usable_models]


def agreed(studio: Studio, model: Model) -> bool:
    """Whether prompts may go where `model` is: always for one that runs here."""
    if not isinstance(model, HostedModel):
        return True
    return studio.hosted.state(studio.hosted.provider(model)).acknowledged


def check_agreed(studio: Studio, name: str | None) -> None:
    """Raise `InvalidRequest` while nobody has agreed that prompts go to the provider of the model `name`."""
    model = studio.model(name)
    if not agreed(studio, model):
        message = f"{model.name} is hosted, and nobody here has agreed yet that prompts leave this machine."
        raise InvalidRequest(message, "Choose it on the page Create and agree below its name.", field="model")


def option_key(name: str) -> str:
    """Under which the form has an option of the model."""
    return f"option_{name}"


def ways(model: HostedModel) -> list[str]:
    """What the model can do with a picture."""
    return [way for way in (form.CHANGE, form.REPAINT) if form.WAYS[way] in model.tasks]


def sizes(model: HostedModel) -> dict[Size, str]:
    """Sizes worth offering, each with its name: the model's own first."""
    size, usual = model.size, model.size.made(*model.size.native)
    if size.ratios:
        return {one: _called(size, one) for one in dict.fromkeys([usual, *size.offered])}
    return {one: name for one, name in form.presets(model, _ANY).items() if _makes(size, one)}


def sized(size: Size, model: HostedModel) -> dict[str, Any]:
    """A size as fields of the form; none where the model cannot make it."""
    fields = {"width": size[0], "height": size[1]}
    if size in sizes(model):
        return fields | {"size": size}
    return fields | {"size": form.CUSTOM} if not model.size.offered and _makes(model.size, size) else {}


def turned(fields: Fields, model: HostedModel) -> dict[str, Any] | None:
    """As `form.turned`."""
    width, height = form.size_of(fields)
    return None if width == height else sized((height, width), model) or None


def sized_for(picture: Size, model: HostedModel) -> dict[str, Any]:
    """The size at which the model works on a picture of that size, as fields of the form."""
    near = model.size.made(*picture) if model.size.ratios else nearest_size(picture, model.size)
    return sized(near, model) or sized(model.size.made(*model.size.native), model)


def defaults(model: HostedModel) -> dict[str, Any]:
    """What the fields that depend on the model begin with."""
    own = {option_key(name): option.default for name, option in model.options.items()}
    sampling = form.usual_sampling(model) if model.darkroom else {}
    return own | sampling | sized(model.size.made(*model.size.native), model)


def blank(model: HostedModel) -> dict[str, Any]:
    """The whole form for a newcomer."""
    return form.common() | {"model": model.id} | defaults(model)


def filled(request: GenerationRequest, model: HostedModel) -> dict[str, Any]:
    """The form that would make `request` again, as far as this model takes it."""
    said = {"prompt": request.prompt, "num_images": min(request.num_images, form.MAX_IMAGES)}
    said |= {"negative_prompt": request.negative_prompt, "image": request.image, "mask": request.mask}
    if request.image is not None:
        said["way"] = form.way_of(request)
    if model.seed:
        said["seed"] = request.seed
    if model.darkroom:
        said |= _sampled(request, model)
    options = {name: value for name, value in model.chosen(request).items() if value in model.options[name].choices}
    chosen = {option_key(name): value for name, value in options.items()}
    return blank(model) | said | chosen | sized(model.size.made(*model.asked_size(request)), model)


def to_request(fields: Fields, model: HostedModel) -> GenerationRequest:
    """The request that the form stands for; raises `InvalidRequest` for the first field that is not right."""
    width, height = form.size_of(fields)
    return parse_request(
        prompt=fields["prompt"],
        negative_prompt=fields["negative_prompt"] if model.negative_prompt else "",
        model=model.id,
        width=width,
        height=height,
        seed=fields["seed"] if model.seed else -1,
        num_images=fields["num_images"],
        options={name: fields.get(option_key(name), option.default) for name, option in model.options.items()},
        **(form.sampling(fields, model) if model.darkroom else {}),
        **_picture(fields, model),
    )


def _sampled(request: GenerationRequest, model: HostedModel) -> dict[str, Any]:
    """The fields of the form that only another Darkroom follows."""
    names = ("num_inference_steps", "guidance_scale", "scheduler")
    chosen = {name: value for name in names if (value := getattr(request, name)) is not None}
    if request.scheduler in model.schedulers[:1]:
        chosen["scheduler"] = form.OWN
    if request.image is None:
        return chosen
    return chosen | {"strength": request.used_strength, "fit": request.fit, "mask_feather": request.mask_feather}


def _picture(fields: Fields, model: HostedModel) -> dict[str, Any]:
    """The fields of a request about the picture to work from."""
    if fields["image"] is None or fields["way"] not in ways(model):
        return {}
    names = ["image", *(["strength", "fit"] if model.darkroom else [])]
    if fields["way"] == form.CHANGE:
        return {name: fields[name] for name in names}
    names += ["mask_feather"] if model.darkroom else []
    return {name: fields[name] for name in names} | {"mask": form.mask_of(fields)}


def _makes(size: HostedSize, one: Size) -> bool:
    """Whether a size lies within the provider's limits."""
    in_all = size.min_pixels <= math.prod(one) <= size.max_pixels
    shaped = size.max_aspect is None or max(one) <= size.max_aspect * min(one)
    return in_all and shaped and all(map(size.fits, one))


def _called(size: HostedSize, one: Size) -> str:
    """A shape by the provider's own names, and about the pixels that come of it."""
    return " · ".join([*filter(None, size.nearest(*one)), f"{one[0]} × {one[1]}"])
