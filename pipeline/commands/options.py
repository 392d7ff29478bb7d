"""The options that several commands take, and the studio that they work with.

Nothing heavy is imported before a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from pipeline.commands.completion import SUGGESTED, suggest_models, suggest_upscalers
from pipeline.errors import InvalidRequest, OutputUnwritable
from pipeline.inputs import Margins, Upscale
from pipeline.request import GenerationRequest, LoraUse, Quantization

if TYPE_CHECKING:
    from pipeline.recipe import Recipe
    from pipeline.remote.studio import RemoteStudio
    from pipeline.studio import Studio

OPTIONS = {
    "negative_prompt": "--negative",
    "model": "--model",
    "num_inference_steps": "--steps",
    "guidance_scale": "--guidance",
    "scheduler": "--scheduler",
    "seed": "--seed",
    "width": "--width",
    "height": "--height",
    "num_images": "--count",
    "quantization": "--quantization",
    "component_quantization": "--component",
    "offload": "--offload",
    "loras": "--lora",
    "vae": "--vae",
    "image": "--image",
    "strength": "--strength",
    "fit": "--fit",
    "mask": "--mask",
    "mask_feather": "--mask-feather",
    "mask_area": "--mask-area",
    "outpaint": "--outpaint",
    "controls": "--control",
    "upscale": "--upscale",
    "options": "--option",
    "then": "--then",
}
"""The option that sets each field of a request."""

METAVARS = {
    "component_quantization": "NAME=PRECISION",
    "loras": "NAME[:WEIGHT]",
    "vae": "NAME",
    "image": "FILE",
    "mask": "FILE",
    "outpaint": "LEFT,TOP,RIGHT,BOTTOM",
    "controls": "NET=FILE[:SCALE[:START:END]]",
    "upscale": "FACTOR[:STRENGTH]",
    "options": "NAME=VALUE",
    "then": "MODEL[,KEY=VALUE…]",
}

_CONTROL = re.compile(r"(?P<net>[^=]+)=(?P<file>.+?)(:(?P<scale>[0-9.]+)(:(?P<start>[0-9.]+):(?P<end>[0-9.]+))?)?")
"""A file's own colons stay in its name where no numbers follow."""


def option(field: str) -> Any:
    """An option that describes itself as the request's field does."""
    return typer.Option(
        OPTIONS[field],
        help=GenerationRequest.model_fields[field].description,
        metavar=METAVARS.get(field),
        autocompletion=SUGGESTED.get(field),
    )


UPSCALER = typer.Option(
    "--upscaler",
    help=Upscale.model_fields["upscaler"].description,
    metavar="NAME",
    autocompletion=suggest_upscalers,
)
Canny = Annotated[
    bool, typer.Option("--canny", help="Find edges in the pictures of --control, which are maps otherwise.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Alone = Annotated[bool, typer.Option("--alone", help="With an engine of its own, also while a studio runs.")]
Name = Annotated[
    str,
    typer.Argument(metavar="ID", help="Registry id or a unique short form of it.", autocompletion=suggest_models),
]


def lora(text: str) -> LoraUse:
    """What `NAME[:WEIGHT]` means; raises `InvalidRequest`."""
    name, colon, weight = text.rpartition(":")
    try:
        return LoraUse(name=name, weight=float(weight)) if colon else LoraUse(name=text)
    except ValueError:
        message = f"“{text}” names no LoRA with a weight."
        raise InvalidRequest(message, "Write NAME or NAME:WEIGHT, with a weight from -4 to 4.", field="loras") from None


def components(texts: list[str]) -> dict[str, str]:
    """What a number of `NAME=PRECISION` mean together; raises `InvalidRequest`."""
    pairs = [text.partition("=") for text in texts]
    for text, (name, equals, precision) in zip(texts, pairs, strict=True):
        if not (name and equals and precision in get_args(Quantization)):
            known = ", ".join(get_args(Quantization))
            message = f"“{text}” names no component with a precision."
            raise InvalidRequest(message, f"Write NAME=PRECISION, one of {known}.", field="component_quantization")
    return {name: precision for name, _, precision in pairs}


def own_options(texts: list[str]) -> dict[str, str]:
    """What a number of `NAME=VALUE` mean together; raises `InvalidRequest`."""
    pairs = [text.partition("=") for text in texts]
    for text, (name, equals, value) in zip(texts, pairs, strict=True):
        if not (name and equals and value):
            message = f"“{text}” names no option with a value."
            raise InvalidRequest(message, "Write NAME=VALUE, such as quality=high.", field="options")
    return {name: value for name, _, value in pairs}


def margins(text: str) -> Margins:
    """What `LEFT,TOP,RIGHT,BOTTOM` means; raises `InvalidRequest`."""
    sides = text.split(",")
    try:
        return Margins(**dict(zip(("left", "top", "right", "bottom"), map(int, sides), strict=True)))
    except ValueError:
        message = f"“{text}” names no margins."
        raise InvalidRequest(message, "Write four numbers of pixels, such as 0,0,128,0.", field="outpaint") from None


def control(text: str) -> dict[str, Any]:
    """What `NET=FILE[:SCALE[:START:END]]` means, as a `ControlUse` whose map is a file; raises `InvalidRequest`."""
    if (match := _CONTROL.fullmatch(text)) is None:
        remedy = (
            "Write NET=FILE, and after a colon how strongly and in which part of the steps: demo-canny=a.png:0.8:0:0.5."
        )
        raise InvalidRequest(f"“{text}” names no ControlNet with a map.", remedy, field="controls")
    numbers = {name: match[name] for name in ("scale", "start", "end") if match[name]}
    return {"net": match["net"], "image": Path(match["file"]), **numbers}


def with_edges(fields: dict[str, Any], studio: Studio | RemoteStudio) -> dict[str, Any]:
    """`fields` of a request with the edges of the pictures of its `controls` in their place, found at the size that
    will be drawn. Raises as `Desk.take_edges` does, and `UnknownModel`."""
    record = studio.record(fields["model"])
    size = fields["width"] or record.size.native[0], fields["height"] or record.size.native[1]
    maps = [use | {"image": studio.desk.take_edges(use["image"], size=size).id} for use in fields["controls"]]
    return fields | {"controls": maps}


def upscale(text: str | None, upscaler: str | None) -> Upscale | None:
    """What `FACTOR[:STRENGTH]` and an upscaler's name mean together; raises `InvalidRequest`."""
    if text is None and upscaler is not None:
        message = "An upscaler alone enlarges nothing."
        raise InvalidRequest(message, "Say how many times as large, such as 2.", field="upscale")
    if text is None:
        return None
    factor, _, strength = text.partition(":")
    named = {} if upscaler is None else {"upscaler": upscaler}
    try:
        return Upscale(factor=int(factor), strength=float(strength or 0), **named)
    except ValueError:
        message = f"“{text}” is no enlargement."
        raise InvalidRequest(message, "Write 2 to 4, and after a colon a strength below 1.", field="upscale") from None


def recipe_in(file: Path) -> Recipe:
    """What a picture's file says of how it was made; raises `InvalidRequest` when it says nothing."""
    from pipeline.gallery.metadata import read_recipe

    recipe = read_recipe(file)
    if recipe is None:
        raise InvalidRequest(f"{file} carries no settings of Darkroom.", "Choose a file that the studio saved.")
    return recipe


def check_new(path: Path) -> None:
    """Raise `InvalidRequest` for a file that is there, before any work is done for it."""
    if path.exists():
        raise InvalidRequest(f"{path} is there already.", "Name another file with --output.")


def write_new(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that must not be there yet. Raises `InvalidRequest` and `OutputUnwritable`."""
    try:
        with path.open("xb") as file:
            for piece in pieces:
                file.write(piece)
    except FileExistsError:
        raise InvalidRequest(f"{path} is there already.", "Name another file with --output.") from None
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}."
        raise OutputUnwritable(message, "Name another file with --output.") from None


def open_studio() -> Studio:
    """A studio that starts no worker before there is a job, and then one that loads only what the job needs."""
    from pipeline.settings import read_settings
    from pipeline.studio import Studio

    return Studio(read_settings().model_copy(update={"preload": False, "workers": 1}))


def running_studio() -> RemoteStudio | None:
    """The studio that runs in the outputs folder, if one does."""
    from pipeline.jobs.claim import address
    from pipeline.settings import read_settings

    settings = read_settings()
    url = address(settings)
    if url is None:
        return None
    from pipeline.remote.studio import RemoteStudio

    return RemoteStudio(url, settings)


def find_studio(alone: bool) -> Studio | RemoteStudio:
    """Who makes the pictures: the studio that runs, which has its model loaded, or else one of our own; always that
    when `alone`."""
    return (None if alone else running_studio()) or open_studio()
