"""`generate`: from a prompt to pictures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.chains import stage
from pipeline.commands.display import JobDisplay
from pipeline.commands.options import (
    UPSCALER,
    Canny,
    Json,
    components,
    control,
    lora,
    margins,
    open_studio,
    option,
    upscale,
    with_edges,
)
from pipeline.errors import DarkroomError
from pipeline.events import LAST, Event, Failed
from pipeline.inputs import Area, Fit
from pipeline.request import GenerationRequest, Offload, Quantization, parse_request

if TYPE_CHECKING:
    from pipeline.jobs.job import Job


def generate(
    prompt: Annotated[str, typer.Argument(help=GenerationRequest.model_fields["prompt"].description)],
    model: Annotated[str | None, option("model")] = None,
    steps: Annotated[int | None, option("num_inference_steps")] = None,
    guidance: Annotated[float | None, option("guidance_scale")] = None,
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
    then: Annotated[list[str] | None, option("then")] = None,
    chain: Annotated[
        str | None, typer.Option(help="A kept chain: its settings, as far as nothing else is said.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make pictures and print where they are; with --json one object per picture: path, seed, sha256, recipe."""
    fields: dict[str, Any] = {
        "prompt": prompt,
        "negative_prompt": negative,
        "model": model,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
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
        "then": [stage(text) for text in then or []],
    }
    with closing(open_studio()) as studio, JobDisplay(as_json) as display:
        given = with_edges(fields, studio) if canny else fields
        said = _said(studio.desk.named(given))
        request = studio.chains.find(chain).begun_with(**said) if chain else parse_request(**said)
        if request.model is None:
            display.note(studio.default.reason)
        follow(studio.submit(request, client="shell"), display)
    if any(image.path is None for image in display.images.values()):
        raise typer.Exit(1)


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Those that are not as they come."""
    usual = GenerationRequest.model_construct(prompt="").model_dump()
    return {name: value for name, value in fields.items() if name == "prompt" or value not in (usual[name], [])}


def follow(job: Job, display: JobDisplay) -> None:
    """Show the job to its end; Ctrl-C cancels it and keeps the pictures that are finished."""
    display.count = job.state.request.num_pictures
    try:
        last = _show_all(job, display)
    except KeyboardInterrupt:
        resumable = " What is downloaded stays; the next call goes on from there." if display.fetching else ""
        display.note(f"Stopping …{resumable}")
        job.cancel()
        _show_all(job, display)
        raise typer.Exit(130) from None
    if isinstance(last, Failed):
        raise DarkroomError.from_info(last.error)


def _show_all(job: Job, display: JobDisplay) -> Event:
    for event in job.events():
        display.show(event)
        if isinstance(event, LAST):
            return event
    raise RuntimeError("A job's events end with its last one.")
