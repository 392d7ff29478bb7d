"""Making a picture again to compare it: verified first, then replayed, then judged.

A copy with the very pixels that were wanted says nothing that the picture does not say, so it goes to the deleted
pictures at once; one that came out otherwise stays, to be looked at beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pipeline.errors import DarkroomError, OutputUnwritable
from pipeline.events import SavedImage
from pipeline.gallery import Gallery, lineage
from pipeline.gallery.metadata import read_recipe
from pipeline.gallery.verify import verify
from pipeline.jobs.job import Job
from pipeline.recipe import Recipe
from pipeline.rerun.judge import Rerun, elsewhere, impossible, judged

Watch = Callable[[Job], None]


class Maker(Protocol):
    """The studio, as far as this knows it."""

    @property
    def gallery(self) -> Gallery: ...
    def replay(self, recipe: Recipe, *, client: str, watch: Watch) -> Job: ...


def rerun(studio: Maker, picture: bytes | Path, client: str, watch: Watch) -> Rerun:
    """Make the picture of a file again, wait for it, and compare; `watch` is called with each job as it is queued.

    What stands in the way is told in the result; of what a provider made nothing is ordered. Raises `OSError` for a
    file that is not there.
    """
    data = picture.read_bytes() if isinstance(picture, Path) else picture
    file, recipe = verify(data), read_recipe(data)
    if recipe is None:
        return impossible(file, "Nothing in it says how it was made.")
    if recipe.hosted is not None:
        return elsewhere(file, recipe.hosted)
    jobs: list[Job] = []

    def begun(job: Job) -> None:
        jobs.append(job)
        watch(job)

    try:
        studio.replay(recipe, client=client, watch=begun)
        made = [image for job in jobs for image in job.result()]
        if not made:
            return impossible(file, "What was made was deleted at once.", jobs[-1].id)
        found = judged(file, recipe, data, made[-1], studio.gallery.png(made[-1].id))
    except DarkroomError as error:
        return impossible(file, error.info.sentence, jobs[-1].id if jobs else None)
    _put_away(studio.gallery, recipe, made)
    return found


def _put_away(gallery: Gallery, recipe: Recipe, made: Iterable[SavedImage]) -> None:
    """Delete the copies of pictures of the chain: whoever wants one has the recipe."""
    known = {one.sha256 for one in (recipe, *lineage.ancestors(recipe))}
    with suppress(OutputUnwritable):
        gallery.delete([image.id for image in made if image.recipe.sha256 in known])
