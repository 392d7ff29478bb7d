"""What the page shows now: which job is under way, which pictures lie on the table. Knows no Streamlit.

Everything is read from the studio, so a refresh, a second tab and a restart of the server find the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.errors import NotFound
from pipeline.events import SavedImage
from pipeline.jobs.state import JobState
from pipeline.studio import Studio

REMEMBERED = 20
"""Jobs of a client that the page looks at."""


@dataclass(frozen=True, slots=True)
class View:
    """The page's content."""

    watched: JobState | None
    """The job to follow live: somebody else's that the address names, else the client's that runs, else the next."""
    ended: JobState | None
    """The job whose end is shown: the one in the address, else the newest that left pictures or an error."""
    pictures: tuple[SavedImage, ...]
    """The pictures of that job, or the one in the address alone."""
    picture: SavedImage | None
    """The one that is shown large, unless a job is followed."""
    picked: bool = False
    """Whether the address names the picture: then it is shown large although a job is under way."""
    lost: str = ""
    """A sentence about an address that leads nowhere (any more)."""


def look(studio: Studio, client: str, job_id: str | None = None, image_id: str | None = None) -> View:
    """The view for `client` at an address with that job or that picture."""
    mine = studio.jobs(client=client, limit=REMEMBERED)
    chosen, picked, lost = None, None, ""
    try:
        chosen = studio.job(job_id).state if job_id else None
        picked = studio.gallery.find(image_id) if image_id else None
    except NotFound as error:
        lost = f"{error.info.sentence} It may have been deleted, or belong to another outputs folder."
    watched = _watched(studio.queue(client=client), chosen, client)
    candidates = [chosen, *mine] if chosen else mine
    ended = next((job for job in candidates if job.ended and (job.images or job.error)), None)
    pictures = _pictures(ended, picked)
    return View(watched, ended, pictures, picked or _foremost(ended, pictures), picked is not None, lost)


def _watched(mine: Sequence[JobState], chosen: JobState | None, client: str) -> JobState | None:
    """The job to follow: what runs before what waits, what waits by its place. A job of somebody else is followed only
    when the address names it."""

    def turn(job: JobState) -> tuple[bool, bool, int, datetime]:
        return job.client == client, job.status == "queued", job.position or 0, job.created_at

    return min((job for job in (*mine, chosen) if job and not job.ended), key=turn, default=None)


def _pictures(ended: JobState | None, picked: SavedImage | None) -> tuple[SavedImage, ...]:
    mine = ended.images if ended else ()
    if picked is None or any(image.id == picked.id for image in mine):
        return mine
    return (picked,)


def _foremost(ended: JobState | None, pictures: Sequence[SavedImage]) -> SavedImage | None:
    """The first picture of a job, or of the last stage that a chain came to."""
    count = ended.request.num_images if ended else 1
    return min(pictures, key=lambda image: (-(image.index // count), image.index), default=None)
