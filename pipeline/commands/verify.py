"""`verify`: whether pictures are as they were made, and with --rerun whether their recipes still make them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.display import JobDisplay, print_json
from pipeline.commands.options import Json, open_studio
from pipeline.events import Saved

if TYPE_CHECKING:
    from pipeline.gallery.verify import Verdict
    from pipeline.jobs.job import Job
    from pipeline.rerun.judge import Rerun

Files = Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="PNGs of Darkroom's.", exists=True, dir_okay=False)]
Again = Annotated[bool, typer.Option("--rerun", help="Make each again from its recipe, and compare.")]


def verify(images: Files, again: Again = False, as_json: Json = False) -> None:
    """Compare pixels with the hash in the recipe. Exits with 1 unless every picture is intact, and with --rerun made
    again to the byte; with --json one object per picture."""
    if not (_all_made_again(images, as_json) if again else _all_intact(images, as_json)):
        raise typer.Exit(1)


def _all_intact(images: list[Path], as_json: bool) -> bool:
    from pipeline.gallery import verify

    verdicts = {image: verify.verify(image) for image in images}
    for image, verdict in verdicts.items():
        if as_json:
            print_json({"path": str(image)} | verdict.model_dump(mode="json"))
        else:
            typer.echo(_line(image, verdict))
    return all(verdict.state == "intact" for verdict in verdicts.values())


def _all_made_again(images: list[Path], as_json: bool) -> bool:
    confirmed = True
    with closing(open_studio()) as studio, JobDisplay(as_json) as display:
        for image in images:
            found = studio.rerun(image, client="shell", watch=lambda job: _follow(job, display))
            display.pause()
            if as_json:
                print_json({"path": str(image)} | found.model_dump(mode="json"))
            else:
                typer.echo("\n".join([_line(image, found.file), _line(image, found), *_reasons(found)]))
            display.resume()
            confirmed &= found.confirmed
    return confirmed


def _line(image: Path, verdict: Verdict | Rerun) -> str:
    return f"{image}: {verdict.state}. {verdict.sentence}"


def _reasons(found: Rerun) -> list[str]:
    kept = found.again.path if found.again else None
    return [*(f"  {change}" for change in found.changes), *([f"  It is kept as {kept}"] if kept else [])]


def _follow(job: Job, display: JobDisplay) -> None:
    """Show the progress to the end; Ctrl-C cancels the job and stops."""
    try:
        for event in job.events():
            if not isinstance(event, Saved):  # the verdict tells of the picture, if there is something to tell
                display.show(event)
    except KeyboardInterrupt:
        job.cancel()
        raise typer.Exit(130) from None
