"""What A1111 can do and the studio cannot: refused in a sentence, or, where it changes little, told in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.a1111.fields import Picture
from pipeline.errors import InvalidRequest
from pipeline.request import MAX_IMAGES

_NEVER = {
    "restore_faces": "Faces are not restored here",
    "tiling": "Pictures that go on at their edges are not made here",
    "styles": "There are no prompt styles here",
    "refiner_checkpoint": "A second model does not take over half-way here",
    "firstphase_width": "A second pass is asked for with enable_hr here",
    "firstphase_height": "A second pass is asked for with enable_hr here",
}
"""Fields that ask for what is never done, and what to say."""

_SCRIPT = "Scripts and extensions of A1111 are not here"
_CONTROL = "For a ControlNet, send a job to /api/v1/jobs, with `controls`."
_FINE = {
    "eta": {0.0, 1.0},
    "s_churn": {0.0},
    "s_tmin": {0.0},
    "s_tmax": {0.0},
    "s_noise": {0.0, 1.0},
    "s_min_uncond": {0.0},
    "initial_noise_multiplier": {1.0},
}
"""Fine points of sampling, and the values with which they ask for nothing."""


def check(body: Picture) -> Iterator[str]:
    """A sentence for each thing that is left out. Raises `InvalidRequest` for what is not done here."""
    for field, sentence in _NEVER.items():
        if getattr(body, field, False) not in (False, [], "", "None"):
            raise InvalidRequest(f"{sentence}.", f"Leave {field} out.", field=field)
    if max(body.seed_resize_from_w, body.seed_resize_from_h) > 0:
        raise InvalidRequest("Seeds are not resized here.", "Leave seed_resize_from_w and _h out.", field="seed")
    if body.script_name not in ("", "None"):
        raise InvalidRequest(f"{_SCRIPT}: “{body.script_name[:40]}”.", "Leave script_name out.", field="script_name")
    _check_extensions(body.alwayson_scripts)
    if (count := body.batch_size * body.n_iter) > MAX_IMAGES:
        message = f"{count} pictures are too many for one request."
        raise InvalidRequest(message, f"Let batch_size × n_iter be {MAX_IMAGES} at most.", field="n_iter")
    if changed := [name for name, idle in _FINE.items() if getattr(body, name, min(idle)) not in idle]:
        yield f"These fine points of sampling stay as the model has them: {', '.join(changed)}."


def _check_extensions(scripts: dict[str, Any]) -> None:
    for name, entry in scripts.items():
        if _asks(entry):
            remedy = _CONTROL if name.lower() == "controlnet" else "Leave it out of alwayson_scripts."
            raise InvalidRequest(f"{_SCRIPT}: “{name[:40]}”.", remedy, field="alwayson_scripts")


def _asks(entry: Any) -> bool:
    """Whether an extension is to do anything: with no arguments, or only false ones, it is off."""
    wanted = entry.get("args", []) if isinstance(entry, dict) else entry
    return any(wanted) if isinstance(wanted, list) else bool(wanted)
