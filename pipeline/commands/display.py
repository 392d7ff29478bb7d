"""How commands show what they found and what goes on: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from pipeline.events import Asked, Event, Fetching, Loading, Quantized, Queued, Saved, SavedImage, Step, Warned

if TYPE_CHECKING:
    from pipeline.models.files.fetch import FetchState

_PROMPT_CHARACTERS = 60


class Display:
    """One line of progress on stderr, if that is a terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            console=self.console,
            transient=True,
            redirect_stdout=False,  # stdout may be a pipe while stderr is a terminal
            redirect_stderr=False,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task("Starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def note(self, sentence: str) -> None:
        """Something to know that changes nothing; left out where nobody watches."""
        if self.console.is_terminal:
            self.console.print(f"[dim]{escape(sentence)}[/]")

    def fail(self, sentence: str) -> None:
        """Something that went wrong while the rest goes on."""
        self.console.print(f"[red]Error:[/] {escape(sentence)}")

    def now(self, what: str, done: int = 0, total: int | None = None) -> None:
        """What goes on, and how far it is."""
        self._progress.update(self._task, description=escape(what), completed=done, total=total)

    def pause(self) -> None:
        """Take the line away, so that what is printed next stands on its own."""
        self._progress.stop()

    def resume(self) -> None:
        self._progress.start()


class JobDisplay(Display):
    """Shows a job: pictures on stdout as they are saved, progress on stderr."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self.count = 1
        """How many pictures the job makes."""
        self.images: dict[str, SavedImage] = {}
        self.fetching = False
        """Whether the last thing that was seen is a download."""
        self._as_json = as_json

    def show(self, event: Event) -> None:
        """One event of the job."""
        self.fetching = isinstance(event, Fetching)
        match event:
            case Queued(position=position):
                self.now(f"Waiting, number {position} in the queue")
            case Fetching() as fetching:
                self.now(f"Fetching {transfer(fetching)}", fetching.done, fetching.total)
            case Loading(component=component, done=done, total=total):
                self.now(f"Loading {component}", done, total)
            case Asked() as asked:
                self.now(self._wait(asked))
            case Quantized() as quantized:
                self.note(_told(quantized))
            case Step() as step:
                self._step(step)
            case Warned(message=message):
                self.console.print(f"[yellow]Note:[/] {escape(message)}")
            case Saved(image=image) if image.id not in self.images:
                self._saved(image)

    def _wait(self, asked: Asked) -> str:
        """Who is waited for, and for which pictures where they are not all."""
        first, last = asked.image_index + 1, asked.image_index + asked.count
        which = f"pictures {first} to {last}" if last > first else f"picture {first}"
        of = f" for {which} of {self.count}" if self.count > asked.count else ""
        others = "other tasks of the account at " if asked.crowded else ""
        return f"Waiting for {others}{asked.provider}{of}" + (f", attempt {asked.attempt}" if asked.attempt > 1 else "")

    def _step(self, step: Step) -> None:
        which = f"Picture {step.image_index + 1} of {self.count}, step" if self.count > 1 else "Step"
        left = "" if step.seconds_left is None else f", {step.seconds_left:.0f} s left"
        self.now(
            f"{which} {step.step} of {step.total}{left}",
            step.image_index * step.total + step.step,
            self.count * step.total,
        )

    def _saved(self, image: SavedImage) -> None:
        self.images[image.id] = image
        self.pause()
        if image.path is None:
            self.fail(image.unsaved)
        if self._as_json:
            print_json(facts(image))
        elif image.path is not None:
            typer.echo(image.path)
        self.resume()


def facts(image: SavedImage) -> dict[str, Any]:
    """A picture as `--json` prints it."""
    recipe = image.recipe.model_dump(mode="json")
    path = str(image.path) if image.path else None
    return {"path": path, "seed": image.seed, "sha256": image.recipe.sha256, "recipe": recipe}


def _told(quantized: Quantized) -> str:
    """What four or eight bits did to a component, and what they left."""
    source = "from the cache" if quantized.cached else "quantised now"
    left = ", ".join(f"{one.name} ({one.reason})" for one in quantized.largest_left)
    return (
        f"{quantized.component}: {decimal(quantized.bytes_before)} → {decimal(quantized.bytes_after)} "
        f"in {quantized.precision}, {source} in {quantized.seconds:.1f} s{f'; left: {left}' if left else ''}"
    )


def transfer(state: Fetching | FetchState) -> str:
    """Bytes, speed and time left of a download, such as `3.4 GB of 16.3 GB, 45.2 MB/s, 4 min left`."""
    words = [f"{decimal(state.done)} of {decimal(state.total)}"]
    if state.bytes_per_second:
        words.append(f"{decimal(int(state.bytes_per_second))}/s")
    if state.seconds_left is not None:
        words.append(_left(state.seconds_left))
    return ", ".join(words)


def _left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


def plain(value: Any) -> str:
    """A value of a record as a person writes it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        texts = [plain(inner) for inner in value]
        return ("\n" if any(" " in text for text in texts) else ", ").join(texts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.0f}" if isinstance(value, float) and value >= 1e4 else str(value)


def short(prompt: str) -> str:
    """A prompt that fits a line of a table."""
    line = " ".join(prompt.split())
    return line if len(line) <= _PROMPT_CHARACTERS else f"{line[: _PROMPT_CHARACTERS - 1]}…"


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value))


def print_table(rows: Iterable[list[str]]) -> None:
    """Columns on stdout, of plain text; in a pipe as wide as they need to be, so that no line is cut."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    console.print(table)
