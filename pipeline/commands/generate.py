"""`generate`: from a prompt to pictures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.commands.chains import stage
from pipeline.commands.completion import suggest_chains
from pipeline.commands.display import JobDisplay
from pipeline.commands.follow import follow
from pipeline.commands.options import (
    UPSCALER,
    Alone,
    Canny,
    Json,
    components,
    control,
    find_studio,
    lora,
    margins,
    option,
    own_options,
    upscale,
    with_edges,
)
from pipeline.commands.prompts import make_each, read_prompts
from pipeline.errors import InvalidRequest
from pipeline.inputs import Area, Fit
from pipeline.request import GenerationRequest, Offload, Quantization, parse_request


def generate(
    prompt: Annotated[str | None, typer.Argument(help=GenerationRequest.model_fields["prompt"].description)] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A text file with a prompt on each line, instead of one; - is stdin."),
    ] = None,
    model: Annotated[str | None, option("model")] = None,
    steps: Annotated[int | None, option("num_inference_steps")] = None,
    guidance: Annotated[float | None, option("guidance_scale")] = None,
    scheduler: Annotated[str | None, option("scheduler")] = None,
    seed: Annotated[int, option("seed")] = -1,
    width: Annotated[int | None, option("width")] = None,
    height: Annotated[int | None, option("height")] = None,
    count: Annotated[int, option("num_images")] = 1,
    negative: Annotated[str, option("negative_prompt")] = "",
    quantization: Annotated[Quantization, option("quantization")] = "auto",
    component: Annotated[list[str] | None, option("component_quantization")] = None,
    offload: Annotated[Offload, option("offload")] = "auto",
    loras: Annotated[list[str] | None, option("loras")] = None,
    vae: Annotated[str | None, option("vae")] = None,
    image: Annotated[Path | None, option("image")] = None,
    strength: Annotated[float | None, option("strength")] = None,
    fit: Annotated[Fit, option("fit")] = "crop",
    mask: Annotated[Path | None, option("mask")] = None,
    mask_feather: Annotated[int, option("mask_feather")] = 0,
    mask_area: Annotated[Area, option("mask_area")] = "whole",
    outpaint: Annotated[str | None, option("outpaint")] = None,
    controls: Annotated[list[str] | None, option("controls")] = None,
    canny: Canny = False,
    enlarge: Annotated[str | None, option("upscale")] = None,
    upscaler: Annotated[str | None, UPSCALER] = None,
    options: Annotated[list[str] | None, option("options")] = None,
    then: Annotated[list[str] | None, option("then")] = None,
    chain: Annotated[
        str | None,
        typer.Option(
            help="A kept chain: its settings, as far as nothing else is said.",
            metavar="NAME",
            autocompletion=suggest_chains,
        ),
    ] = None,
    alone: Alone = False,
    as_json: Json = False,
) -> None:
    """Make pictures and print where they are; with --json one object per picture: path, seed, sha256, recipe."""
    if (prompt is None) is (prompts is None):
        raise InvalidRequest("One prompt is needed, or a file of prompts.", "Give a PROMPT, or --prompts FILE.")
    fields: dict[str, Any] = {
        "negative_prompt": negative,
        "model": model,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "scheduler": scheduler,
        "width": width,
        "height": height,
        "seed": seed,
        "num_images": count,
        "quantization": quantization,
        "component_quantization": components(component or []),
        "offload": offload,
        "loras": [lora(text) for text in loras or []],
        "vae": vae,
        "image": image,
        "strength": strength,
        "fit": fit,
        "mask": mask,
        "mask_feather": mask_feather,
        "mask_area": mask_area,
        "outpaint": margins(outpaint) if outpaint else None,
        "controls": [control(text) for text in controls or []],
        "upscale": upscale(enlarge, upscaler),
        "options": own_options(options or []),
        "then": [stage(text) for text in then or []],
    }
    with closing(find_studio(alone)) as studio, JobDisplay(as_json) as display:
        given = with_edges(fields, studio) if canny else fields
        said = _said(studio.desk.named(given))
        request_of = studio.chains.find(chain).begun_with if chain else parse_request
        if model is None and chain is None:
            display.note(studio.default.reason)

        def make(words: str) -> None:
            follow(studio.submit(request_of(prompt=words, **said), client="shell"), display)

        if prompts is not None:
            complete = make_each(read_prompts(prompts), make, display)
        else:
            make(str(prompt))
            complete = True
    if not complete or any(image.path is None for image in display.images.values()):
        raise typer.Exit(1)


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Those that are not as they come."""
    usual = GenerationRequest.model_construct(prompt="").model_dump()
    return {name: value for name, value in fields.items() if value not in (usual[name], [])}
