"""`jobs`: what the running studio has to do."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pipeline.commands.display import JobDisplay, print_json, print_table, short
from pipeline.commands.follow import follow as follow_job
from pipeline.commands.options import Json, running_studio
from pipeline.errors import InvalidRequest, NotFound
from pipeline.events import Saved

if TYPE_CHECKING:
    from pipeline.jobs.state import JobState
    from pipeline.remote.studio import RemoteStudio

app = typer.Typer(
    help="The jobs of the studio that runs: pages, API and commands share its queue.", no_args_is_help=True
)
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a job, as `jobs list` shows it.")]


@app.command("list")
def list_jobs(
    ended: Annotated[bool, typer.Option("--all", help="The ended ones too, newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="With --all: how many.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the jobs in hand, then those that wait in the order in which they will run."""
    with closing(_studio()) as studio:
        states = studio.jobs(limit=limit) if ended else studio.queue()
    if as_json:
        print_json([state.model_dump(mode="json", exclude={"client"}) for state in states])
    elif not states:
        typer.echo("Nothing is to be done.")
    else:
        print_table([escape(text) for text in _row(state)] for state in states)


@app.command()
def follow(job_id: Id, as_json: Json = False) -> None:
    """Show a job to its end, as `generate` does: pictures as they are saved. Ctrl-C cancels it."""
    with closing(_studio()) as studio, JobDisplay(as_json) as display:
        job = studio.job(job_id)
        for image in job.state.images:
            display.show(Saved(image=image))  # its events begin anew where a studio took the job up again
        follow_job(job, display)


@app.command()
def cancel(
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Ids of jobs.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are unfinished, whoever wants them.")] = False,
) -> None:
    """Stop jobs. Pictures that are finished stay."""
    if bool(job_ids) is every:
        raise InvalidRequest("Nothing says which jobs to stop.", "Name some, or give --all.")
    with closing(_studio()) as studio:
        # From the last, so that none begins because the one before it is gone.
        ids = [state.id for state in reversed(studio.queue())] if every else job_ids or []
        for job in [studio.job(job_id) for job_id in ids]:
            job.cancel()


def _studio() -> RemoteStudio:
    studio = running_studio()
    if studio is None:
        message = "No studio runs in this outputs folder, so there is no queue."
        raise NotFound(message, "Start one with `make run` or `python -m pipeline serve`.")
    return studio


def _row(state: JobState) -> list[str]:
    """Id, how far it is, model and the beginning of the prompt."""
    progress = state.progress
    how_far = {
        "queued": f"number {state.position}",
        "running": f"step {progress.step} of {progress.steps}",
        "loading": progress.component or progress.file,
        "failed": state.error.message if state.error else "",
    }
    return [state.id, state.status, how_far.get(state.status, ""), state.model, short(state.request.prompt)]
