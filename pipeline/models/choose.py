"""Which model is the default here, and why: the sentence that the page shows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from pipeline.errors import BadSettings, DarkroomError
from pipeline.models.files import hub
from pipeline.models.hardware import Hardware
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import ModelRecord, Registry

PREFERRED = "stabilityai/stable-diffusion-3.5-medium"
FALLBACK = "demo"


class Choice(BaseModel):
    """A model, why it was chosen, and what to do to get the better one."""

    model_config = ConfigDict(frozen=True)

    record: ModelRecord
    reason: str
    remedy: str = ""


def choose_default(registry: Registry, hardware: Hardware, setting: str = "auto") -> Choice:
    """The default model for this machine.

    `setting` other than `auto` is a model name and wins. Raises `UnknownModel` when there is none such, and
    `BadSettings` for a hosted one: who names no model does not ask for the prompt to leave this machine.
    """
    if setting != "auto":
        record = registry.find_any(setting)
        if isinstance(record, HostedModel):
            message = f"DARKROOM_MODEL cannot be {setting}: {record.name} is hosted, and the default has to run here."
            raise BadSettings(message, "Set it to a model that runs here, and name the hosted one in each request.")
        return Choice(record=record, reason=f"{record.name}, because DARKROOM_MODEL asks for it.")
    preferred, fallback = registry.find(PREFERRED), registry.find(FALLBACK)
    if not any(device.kind == "cuda" for device in hardware.gpus):
        why = hardware.problem or "No NVIDIA GPU was found."
        remedy = f"{preferred.name} needs one; see “What runs where” in the README."
        return Choice(record=fallback, reason=f"{why} The built-in demo model runs instead.", remedy=remedy)
    try:
        hub.check_available(preferred)
    except DarkroomError as error:
        reason = f"{error.info.message} The built-in demo model runs instead."
        return Choice(record=fallback, reason=reason, remedy=error.info.remedy)
    return Choice(record=preferred, reason=f"{preferred.name} on {hardware.best.name}.")
