"""The command line: `python -m pipeline generate | doctor | models`.

Results go to stdout and everything else to stderr, so the output can be piped. Exit codes: 0 done, 1 failed (with one
clear line), 2 called wrongly, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

try:
    import typer
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Table

    from pipeline.errors import DarkroomError, InvalidRequest, UnknownModel
    from pipeline.events import LAST, Event, Failed, Loading, Queued, Saved, SavedImage, Step, Warned
    from pipeline.request import GenerationRequest, Offload, Quantization, parse_request
except ImportError as missing:
    sys.exit(f"{missing}. Run `make setup` with Python 3.11 or newer, or `pip install -r requirements.txt`.")

if TYPE_CHECKING:
    from pipeline.models.registry import ModelRecord
    from pipeline.studio import Job, Studio

app = typer.Typer(
    help="Darkroom: pictures from words, on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="The models that Darkroom knows.", no_args_is_help=True)
app.add_typer(models, name="models")

OPTIONS = {
    "negative_prompt": "--negative",
    "model": "--model",
    "num_inference_steps": "--steps",
    "guidance_scale": "--guidance",
    "seed": "--seed",
    "width": "--width",
    "height": "--height",
    "num_images": "--count",
    "quantization": "--quantization",
    "offload": "--offload",
}
"""The option that sets each field of a request."""


def _option(field: str) -> Any:
    """An option that describes itself as the request's field does."""
    return typer.Option(OPTIONS[field], help=GenerationRequest.model_fields[field].description)


Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help=GenerationRequest.model_fields["prompt"].description)],
    model: Annotated[str | None, _option("model")] = None,
    steps: Annotated[int | None, _option("num_inference_steps")] = None,
    guidance: Annotated[float | None, _option("guidance_scale")] = None,
    seed: Annotated[int, _option("seed")] = -1,
    width: Annotated[int | None, _option("width")] = None,
    height: Annotated[int | None, _option("height")] = None,
    count: Annotated[int, _option("num_images")] = 1,
    negative: Annotated[str, _option("negative_prompt")] = "",
    quantization: Annotated[Quantization, _option("quantization")] = "auto",
    offload: Annotated[Offload, _option("offload")] = "auto",
    as_json: Json = False,
) -> None:
    """Make pictures and print where they are; with --json one object per picture: path, seed, sha256, recipe."""
    request = parse_request(
        prompt=prompt,
        negative_prompt=negative,
        model=model,
        num_inference_steps=steps,
        guidance_scale=guidance,
        width=width,
        height=height,
        seed=seed,
        num_images=count,
        quantization=quantization,
        offload=offload,
    )
    with closing(_studio()) as studio, Display(count, as_json) as display:
        if model is None:
            display.note(studio.default.reason)
        _follow(studio.submit(request, client="shell"), display)
    if any(image.path is None for image in display.images.values()):
        raise typer.Exit(1)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this installation and this machine; exit with 1 if something will not work."""
    from pipeline.doctor import run
    from pipeline.settings import read_settings

    checks = run(read_settings())
    if as_json:
        _print_json([check.model_dump() for check in checks])
    else:
        marks = {True: "[green]ok[/]", False: "[red]wrong[/]", None: "note"}
        _print_table(
            [marks[check.ok], escape(check.name), escape(f"{check.finding} {check.remedy}".strip())] for check in checks
        )
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """Show every model: its id, whether its files are here, and its licence."""
    with closing(_studio()) as studio:
        facts = [_facts(record, studio) for record in studio.models.records]
    if as_json:
        _print_json(facts)
    else:
        _print_table(
            [
                "default" if fact["default"] else "",
                escape(fact["id"]),
                "here" if fact["here"] else f"{fact['download_bytes'] / 1e9:.1f} GB to download",
                escape(fact["licence"]["name"]),
            ]
            for fact in facts
        )


@models.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="Registry id or a unique short form of it.")], as_json: Json = False
) -> None:
    """Show all that is known about one model."""
    with closing(_studio()) as studio:
        facts = _facts(studio.models.find(name), studio)
    if as_json:
        _print_json(facts)
    else:
        _print_table([key.replace("_", " "), escape(_plain(value))] for key, value in facts.items())


class Display:
    """Shows a job: pictures on stdout as they are saved, progress on stderr if that is a terminal."""

    def __init__(self, count: int, as_json: bool) -> None:
        self.images: dict[str, SavedImage] = {}
        self._count, self._as_json = count, as_json
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,  # stdout may be a pipe while stderr is a terminal
            redirect_stderr=False,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("Starting", total=None)

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def note(self, sentence: str) -> None:
        """Something to know that changes nothing; left out where nobody watches."""
        if self._console.is_terminal:
            self._console.print(f"[dim]{escape(sentence)}[/]")

    def show(self, event: Event) -> None:
        """One event of the job."""
        match event:
            case Queued(position=position):
                self._now(f"Waiting, number {position} in the queue")
            case Loading(component=component, done=done, total=total):
                self._now(f"Loading {component}", done, total)
            case Step() as step:
                self._step(step)
            case Warned(message=message):
                self._console.print(f"[yellow]Note:[/] {escape(message)}")
            case Saved(image=image) if image.id not in self.images:
                self._saved(image)

    def _now(self, what: str, done: int = 0, total: int | None = None) -> None:
        self._progress.update(self._task, description=escape(what), completed=done, total=total)

    def _step(self, step: Step) -> None:
        which = f"Picture {step.image_index + 1} of {self._count}, step" if self._count > 1 else "Step"
        self._now(
            f"{which} {step.step} of {step.total}, {step.seconds_left:.0f} s left",
            step.image_index * step.total + step.step,
            self._count * step.total,
        )

    def _saved(self, image: SavedImage) -> None:
        self.images[image.id] = image
        self._progress.stop()  # so that the line stands on its own if both streams are one terminal
        if image.path is None:
            self._console.print(f"[red]Error:[/] {escape(image.unsaved)}")
        if self._as_json:
            recipe = image.recipe.model_dump(mode="json")
            path = str(image.path) if image.path else None
            _print_json({"path": path, "seed": image.seed, "sha256": image.recipe.sha256, "recipe": recipe})
        elif image.path is not None:
            typer.echo(image.path)
        self._progress.start()


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    try:
        app(prog_name="python -m pipeline")
    except DarkroomError as error:
        option = OPTIONS.get(error.info.field or "")
        typer.echo(f"Error: {f'{option}: ' if option else ''}{error.info.sentence}", err=True)
        sys.exit(2 if isinstance(error, InvalidRequest | UnknownModel) else 1)
    except ImportError as error:
        typer.echo(f"Error: {error}. Run `python -m pipeline doctor`; it says what is missing.", err=True)
        sys.exit(1)
    sys.exit(0)


def _follow(job: Job, display: Display) -> None:
    """Show the job to its end; Ctrl-C cancels it and keeps the pictures that are finished."""
    try:
        last = _show_all(job, display)
    except KeyboardInterrupt:
        display.note("Stopping …")
        job.cancel()
        _show_all(job, display)
        raise typer.Exit(130) from None
    if isinstance(last, Failed):
        raise DarkroomError.from_info(last.error)


def _show_all(job: Job, display: Display) -> Event:
    for event in job.events():
        display.show(event)
        if isinstance(event, LAST):
            return event
    raise RuntimeError("A job's events end with its last one.")


def _studio() -> Studio:
    """A studio that starts no worker before there is a job, and then one that loads only what the job needs."""
    from pipeline.settings import read_settings
    from pipeline.studio import Studio

    return Studio(read_settings().model_copy(update={"preload": False, "workers": 1}))


def _facts(record: ModelRecord, studio: Studio) -> dict[str, Any]:
    from pipeline.models import hub

    here = {"here": hub.is_here(record), "default": record.id == studio.default.record.id}
    return record.model_dump(mode="json") | here


def _plain(value: Any) -> str:
    """A value of a record as a person writes it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.0f}" if isinstance(value, float) and value >= 1e4 else str(value)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value))


def _print_table(rows: Iterable[list[str]]) -> None:
    """Columns on stdout; in a pipe as wide as they need to be, so that no line is cut."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
