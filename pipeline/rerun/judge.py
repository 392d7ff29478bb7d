"""Two pictures of one recipe compared: the file as it is, and what the recipe makes here and now."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InvalidRequest
from pipeline.events import SavedImage
from pipeline.gallery.difference import Difference, measure
from pipeline.gallery.verify import Verdict
from pipeline.recipe import HostedUse, Recipe
from pipeline.rerun.changes import UNNOTED, changes

NEAR = 30.0
"""Decibels of PSNR from which two pictures count as nearly the same: lossy compression of eight-bit pictures lies
between 30 and 50 (Wikipedia, “Peak signal-to-noise ratio”), and the demo in four bits at 32 from itself in full
precision (demo/README.md)."""


class Rerun(BaseModel):
    """What came of making a picture again."""

    model_config = ConfigDict(frozen=True)

    state: Literal["making", "identical", "near", "different", "impossible"]
    """`identical` is to the recipe's hash; `near` and `different` are to the pixels of the file."""
    sentence: str
    file: Verdict
    """Whether the file is as it was made."""
    changes: tuple[str, ...] = ()
    """What is not as it was then, whatever came of it."""
    difference: Difference | None = None
    """Of the two, where they differ and have one size."""
    job: str | None = None
    """Id of the job that makes it, or made it."""
    again: SavedImage | None = None
    """What was made, where it is another picture; one that is identical is not kept."""

    @property
    def confirmed(self) -> bool:
        """Whether the file is as it was made, and its recipe makes just that."""
        return (self.file.state, self.state) == ("intact", "identical")


def making(file: Verdict, job: str | None = None) -> Rerun:
    """It is under way."""
    return Rerun(state="making", sentence="The picture is being made again.", file=file, job=job)


def impossible(file: Verdict, why: str, job: str | None = None) -> Rerun:
    """It cannot be made again; `why` is a sentence or more."""
    return Rerun(state="impossible", sentence=f"It cannot be made again. {why}", file=file, job=job)


def elsewhere(file: Verdict, used: HostedUse) -> Rerun:
    """A provider made it, and is not asked again."""
    why = f"{used.provider} takes no seed for it, so nothing makes the same picture again."
    if used.seeded:
        why = (
            f"Whether {used.provider} makes the same picture from the same seed is not to be told from here, "
            "and to try would be one more order, which may be charged for."
        )
    return Rerun(state="impossible", sentence=f"It is not made again. {why}", file=file)


def judged(file: Verdict, recipe: Recipe, data: bytes, again: SavedImage, png: bytes) -> Rerun:
    """Compare the file `data`, of which `file` and `recipe` tell, with what was made again and its `png`."""
    found = changes(recipe, again.recipe)
    if again.recipe.sha256 == recipe.sha256:
        sentence = f"Made again on {again.recipe.device}, every pixel is as the recipe says."
        return Rerun(state="identical", sentence=sentence, file=file, changes=found, job=again.job_id)
    difference = _difference(data, png)
    near = difference is not None and (difference.psnr is None or difference.psnr >= NEAR)
    return Rerun(
        state="near" if near else "different",
        sentence=f"Made again on {again.recipe.device}, {_words(difference, near)}.",
        file=file,
        changes=found or (UNNOTED,),
        difference=difference,
        job=again.job_id,
        again=again,
    )


def _difference(data: bytes, png: bytes) -> Difference | None:
    """None where the file has another size, or cannot be read as a picture any more."""
    try:
        return measure(data, png)
    except InvalidRequest:
        return None


def _words(difference: Difference | None, near: bool) -> str:
    if difference is None:
        return "it has another size"
    if difference.psnr is None:
        return "it is what this file shows, but not what its recipe says"
    far = f"PSNR {difference.psnr:.1f} dB, SSIM {difference.ssim:.3f}"
    return f"it is nearly the same ({far})" if near else f"it is another picture ({far})"
