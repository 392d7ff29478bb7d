"""What a report tells, as plain data; nothing in it names a person, a folder, a secret or a prompt."""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from pipeline.doctor import Check
from pipeline.jobs.state import EngineState
from pipeline.models import hardware
from pipeline.models.registry import ROOT
from pipeline.report.private import hiding, told_settings
from pipeline.request import Precision
from pipeline.settings import Settings

LAST_LINES = 8
_TROUBLE = re.compile(r"^\S+ \S+ (ERROR|WARNING) ")
"""How a line of `studio.log` begins that tells of something wrong."""


class Proof(BaseModel):
    """A picture of the demo, made on one device in one precision to see whether that works."""

    model_config = ConfigDict(frozen=True)

    device: str
    quantization: Precision
    ok: bool | None
    """True: it works. False: it failed or drew nonsense. None: it cannot be done on this device."""
    finding: str
    seconds: float | None = None
    """From the first step to pixels; None where there is no picture, like all that follows."""
    load_seconds: float | None = None
    weight_bytes: int | None = None
    """Size of all weights as held."""
    memory_bytes: int | None = None
    """Main memory of the worker afterwards, with all that it needs to work at all."""
    psnr: float | None = None
    """Decibels to the reference; None for the reference and for equal pixels."""
    sha256: str | None = None
    """Of the pixels."""


class Report(BaseModel):
    """The machine, the studio, its checks, its proofs, and what went wrong of late."""

    model_config = ConfigDict(frozen=True)

    darkroom: str
    """Version."""
    system: str
    processor: str
    devices: tuple[str, ...]
    """Each with its memory, the best first."""
    versions: dict[str, str]
    settings: dict[str, str]
    """Those that are set; for private ones just `set`."""
    engine: str
    """What the engine does, where a studio runs."""
    checks: tuple[Check, ...]
    proofs: tuple[Proof, ...]
    trouble: tuple[str, ...]
    """The last lines of the log that tell of something wrong, without prompts."""

    @classmethod
    def gather(
        cls,
        settings: Settings,
        checks: Iterable[Check],
        engine: EngineState | None = None,
        proofs: Sequence[Proof] = (),
    ) -> Self:
        """The report of this machine. Raises nothing: what cannot be read is left out."""
        found = engine.hardware if engine else hardware.detect()
        report = cls(
            darkroom=_version(),
            system=platform.platform(),
            processor=_processor(),
            devices=tuple(f"{device.label}, {device.memory_total / 1e9:.1f} GB" for device in found.devices),
            versions=(engine.versions if engine else {}) or hardware.versions(),
            settings=told_settings(settings),
            engine=_engine(engine) if engine else "",
            checks=tuple(checks),
            proofs=tuple(proofs),
            trouble=_trouble(settings.data_folder / "studio.log"),
        )
        return cls.model_validate(_private(report.model_dump(), hiding(settings)))


def _private(value: Any, hide: Callable[[str], str]) -> Any:
    """Every text in it without names, so that no field is forgotten."""
    match value:
        case str():
            return hide(value)
        case dict():
            return {key: _private(inner, hide) for key, inner in value.items()}
        case list() | tuple():
            return [_private(inner, hide) for inner in value]
    return value


def _version() -> str:
    try:
        return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "unknown"


def _processor() -> str:
    """Its name; on Linux the system knows it better than Python."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _engine(state: EngineState) -> str:
    words = f"{state.status}, {state.model or 'no model'} loaded"
    return f"{words}; {state.error.code}: {state.error.message}" if state.error else words


def _trouble(log: Path) -> tuple[str, ...]:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple([line for line in lines if _TROUBLE.match(line)][-LAST_LINES:])
