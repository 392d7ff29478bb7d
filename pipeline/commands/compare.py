"""`compare`: one prompt at several values of one or two settings, as a labelled sheet."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.display import JobDisplay, print_json
from pipeline.commands.follow import follow
from pipeline.commands.options import Alone, Json, check_new, find_studio, option, write_new
from pipeline.errors import DarkroomError, InvalidRequest, StudioUnreachable
from pipeline.request import GenerationRequest, Quantization

if TYPE_CHECKING:
    from pipeline.compare.state import CellState, ComparisonState
    from pipeline.remote.studio import RemoteStudio
    from pipeline.studio import Studio

_FIELDS = {
    "model": "model",
    "prompt": "prompt",
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "seed": "seed",
    "scheduler": "scheduler",
    "quantization": "quantization",
    "variation": "variation_strength",
}
"""What can be compared, and the setting that it is."""
_AXIS = "SETTING=VALUE,VALUE…"


def compare(
    prompt: Annotated[str, typer.Argument(help=GenerationRequest.model_fields["prompt"].description)],
    columns: Annotated[
        str, typer.Option("--columns", metavar=_AXIS, help=f"What changes from left to right: {', '.join(_FIELDS)}.")
    ],
    rows: Annotated[
        str | None, typer.Option("--rows", metavar=_AXIS, help="What changes from top to bottom, if anything does.")
    ] = None,
    model: Annotated[str | None, option("model")] = None,
    steps: Annotated[int | None, option("num_inference_steps")] = None,
    guidance: Annotated[float | None, option("guidance_scale")] = None,
    scheduler: Annotated[str | None, option("scheduler")] = None,
    seed: Annotated[int, option("seed")] = -1,
    width: Annotated[int | None, option("width")] = None,
    height: Annotated[int | None, option("height")] = None,
    negative: Annotated[str, option("negative_prompt")] = "",
    quantization: Annotated[Quantization, option("quantization")] = "auto",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The sheet; otherwise named by date and time, here."),
    ] = None,
    alone: Alone = False,
    as_json: Json = False,
) -> None:
    """Make a picture for each value, and a labelled sheet of all, whose file is printed last; with --json one object
    per picture, then one for the sheet. Exits with 1 when a picture is missing: its place says why."""
    from pipeline.compare.export import folder_name
    from pipeline.compare.grid import parse_comparison

    base = {
        "prompt": prompt,
        "negative_prompt": negative,
        "model": model,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "scheduler": scheduler,
        "seed": seed,
        "width": width,
        "height": height,
        "quantization": quantization,
    }
    axes = {"columns": axis("columns", columns), "rows": axis("rows", rows) if rows else None}
    comparison = parse_comparison({"base": base, **axes})
    if output is not None:
        check_new(output)
    with closing(find_studio(alone)) as studio, JobDisplay(as_json) as display:
        state = studio.comparisons.start(comparison, client="shell")
        _follow_all(studio, state, display)
        state = studio.comparisons.find(state.id)
        sheet = output or Path(f"{folder_name(state)}.png")
        write_new(sheet, [studio.comparisons.sheet(state.id)])
    if as_json:
        print_json({"comparison": state.id, "sheet": str(sheet)})
    else:
        typer.echo(sheet)
    if state.missing:
        raise typer.Exit(1)


def axis(name: str, text: str) -> dict[str, Any]:
    """What `SETTING=VALUE,VALUE…` means, as an `Axis` of plain data. Raises `InvalidRequest`."""
    setting, equals, values = text.partition("=")
    if not equals or setting not in _FIELDS:
        remedy = f"Write one of {', '.join(_FIELDS)}, and its values after an equals sign: steps=4,8,16."
        raise InvalidRequest(f"“{text}” is no setting with values.", remedy, field=name)
    return {"field": _FIELDS[setting], "values": values.split(",")}


def _follow_all(studio: Studio | RemoteStudio, state: ComparisonState, display: JobDisplay) -> None:
    """Show every picture in the order in which they are made. Ctrl-C stops all that are not finished."""
    try:
        for cell in sorted(state.cells, key=lambda cell: cell.job.position or 0):
            _follow_one(studio, state, cell, display)
    except (typer.Exit, KeyboardInterrupt):
        studio.comparisons.cancel(state.id)
        raise typer.Exit(130) from None


def _follow_one(studio: Studio | RemoteStudio, state: ComparisonState, cell: CellState, display: JobDisplay) -> None:
    try:
        follow(studio.job(cell.job.id), display)
    except StudioUnreachable:
        raise
    except DarkroomError as error:
        display.fail(f"{state.comparison.title(cell.column, cell.row)}: {error.info.sentence}")
