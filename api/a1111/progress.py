"""How far the pictures of whoever asks are, and how to stop them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from api.a1111.access import CallerDep, routes
from api.a1111.answers import timestamp
from api.a1111.encoded import encoded
from api.access import StudioDep, in_thread
from pipeline.jobs.state import JobState
from pipeline.studio import Studio

router = routes()

LEAST = 0.01
"""What A1111 says of a job that waits or loads: by 0 its clients know that nothing is to be done."""
_IDLE = {
    "skipped": False,
    "interrupted": False,
    "stopping_generation": False,
    "job": "",
    "job_count": 0,
    "job_timestamp": "0",
    "job_no": 0,
    "sampling_step": 0,
    "sampling_steps": 0,
}


class Standing(BaseModel):
    """Where a job stands; `progress` 0 and `job_count` 0 when there is none."""

    progress: float = 0.0
    eta_relative: float = 0.0
    """Seconds that are left, as far as they are known."""
    state: dict[str, Any] = _IDLE
    current_image: str | None = None
    """A small JPEG of what is there so far, as base64."""
    textinfo: str | None = None


@router.get("/progress")
async def progress(studio: StudioDep, caller: CallerDep, skip_current_image: bool = False) -> Standing:
    """How far the first of the caller's unfinished jobs is."""
    return await in_thread(_standing, studio, caller, skip_current_image)


@router.post("/interrupt")
async def interrupt(studio: StudioDep, caller: CallerDep) -> dict[str, Any]:
    """Stop the caller's running job, or, when none runs, the next of its waiting ones; finished pictures stay."""
    await in_thread(_stop, studio, caller)
    return {}


@router.post("/skip")
async def skip(studio: StudioDep, caller: CallerDep) -> dict[str, Any]:
    """The same: a job cannot go on without one of its pictures."""
    await in_thread(_stop, studio, caller)
    return {}


def _stop(studio: Studio, caller: str) -> None:
    unfinished = studio.queue(client=caller)
    begun = [state for state in unfinished if state.status != "queued"]
    for state in begun or unfinished[:1]:
        studio.job(state.id).cancel()


def _standing(studio: Studio, caller: str, without_image: bool) -> Standing:
    unfinished = studio.queue(client=caller)
    if not unfinished:
        return Standing()
    state = unfinished[0]
    jpeg = None if without_image else studio.job(state.id).preview
    return Standing(
        progress=_part(state),
        eta_relative=state.progress.seconds_left or 0.0,
        state=_IDLE | _told(state),
        current_image=encoded(jpeg) if jpeg else None,
        textinfo=_waiting_for(state),
    )


def _part(state: JobState) -> float:
    """The part of the work that is done, from `LEAST` to 1."""
    done, pictures = state.progress, state.request.num_pictures
    within = done.step / done.steps if done.steps else 0.0
    return min(1.0, LEAST + (done.image_index + within) / pictures)


def _told(state: JobState) -> dict[str, Any]:
    return {
        "job": state.id,
        "job_count": state.request.num_pictures,
        "job_timestamp": timestamp(state),
        "job_no": state.progress.image_index,
        "sampling_step": state.progress.step,
        "sampling_steps": state.progress.steps,
    }


def _waiting_for(state: JobState) -> str | None:
    if state.status == "queued":
        return f"Waiting, place {state.position} in the queue" if state.position else "Waiting"
    done = state.progress
    if state.status == "loading":
        return f"Loading {done.component or done.file}".strip()
    return None
