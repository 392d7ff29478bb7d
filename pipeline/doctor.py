"""The start-up checks: what this installation and this machine can do, each finding with its remedy.

Nothing here imports torch or uses the network, and no check lets an exception out: what is broken becomes a sentence.
Tokens are never shown, only whether they are set.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile

from packaging.requirements import Requirement
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open

from pipeline.errors import DarkroomError
from pipeline.hosted.ready import Readiness
from pipeline.models import hardware
from pipeline.models.choose import FALLBACK, PREFERRED, choose_default
from pipeline.models.files import hub
from pipeline.models.hardware import EngineReport, Hardware
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import ROOT, Registry
from pipeline.settings import Settings

REQUIREMENTS = ROOT / "requirements.txt"
LITTLE_SPACE = 2**30
"""Free bytes below which a disk counts as almost full."""

_REINSTALL = "Run `pip install --force-reinstall -r requirements.txt` in Darkroom's environment."


class Check(BaseModel):
    """One thing that was looked at."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool | None
    """True: fine. False: something will not work. None: worth knowing."""
    finding: str
    remedy: str = ""


def run(settings: Settings, report: EngineReport | None = None) -> list[Check]:
    """All checks. `report` is what a worker found; without it the GPU is judged by its driver alone."""
    return [
        _python(),
        *_packages(REQUIREMENTS),
        _gpu(hardware.detect(), report),
        _quantization(),
        _outputs(settings.outputs),
        _model_cache(),
        _quantized_cache(settings.cache),
        _hub_token(),
        _access(settings),
        _demo(settings),
        _default_model(settings, report),
        *_hosted(settings),
    ]


def _python() -> Check:
    return Check(name="Python", ok=True, finding=f"Python {platform.python_version()} on {platform.platform()}.")


def _packages(requirements: Path) -> Iterator[Check]:
    """One check for each package that is not as pinned, or one for all of them."""
    try:
        lines = requirements.read_text(encoding="utf-8").splitlines()
    except OSError:
        yield Check(name="Packages", ok=None, finding=f"{requirements} is missing, so versions were not compared.")
        return
    pinned = [Requirement(line) for text in lines if (line := text.split("#")[0].strip())]
    wanted = [package for package in pinned if package.marker is None or package.marker.evaluate()]
    wrong = [check for package in wanted if (check := _package(package))]
    yield from wrong or [Check(name="Packages", ok=True, finding=f"All {len(wanted)} packages are as pinned.")]


def _package(wanted: Requirement) -> Check | None:
    name, remedy = f"Package {wanted.name}", "Run `pip install -r requirements.txt` in Darkroom's environment."
    try:
        installed = version(wanted.name)
    except PackageNotFoundError:
        return Check(name=name, ok=False, finding=f"{wanted} is not installed.", remedy=remedy)
    if wanted.specifier.contains(installed, prereleases=True):
        return None
    return Check(name=name, ok=False, finding=f"{installed} is installed, not {wanted.specifier}.", remedy=remedy)


def _gpu(driver: Hardware, report: EngineReport | None) -> Check:
    found = report.hardware if report else driver
    if found.gpus:
        names = ", ".join(f"{device.name} ({_size(device.memory_total)})" for device in found.gpus)
        sentence = f"Found {len(found.gpus)} GPU(s): {names}."
        mismatch = "" if report else _cuda_mismatch()
        remedy = "Update the NVIDIA driver." if mismatch else ""
        return Check(name="GPU", ok=not mismatch, finding=f"{sentence} {mismatch}".strip(), remedy=remedy)
    problem = found.problem or driver.problem
    if driver.gpus or problem:
        names = ", ".join(device.name for device in driver.gpus)
        why = problem or f"The driver reports {names}, but torch cannot use it."
        return Check(name="GPU", ok=False, finding=why, remedy=_gpu_remedy())
    cpu = found.best
    sentence = f"No GPU was found; the CPU works ({cpu.name}, {_size(cpu.memory_total)} of memory)."
    return Check(name="GPU", ok=None, finding=sentence)


def _cuda_mismatch() -> str:
    """A sentence if torch was built for a newer generation of CUDA than the driver can run."""
    built_for, runs = hardware.torch_cuda(), hardware.driver_cuda()
    if built_for is None or runs is None or int(runs.split(".")[0]) >= int(built_for.split(".")[0]):
        return ""
    return f"The driver runs CUDA {runs} at most, and the installed torch was built for CUDA {built_for}."


def _gpu_remedy() -> str:
    if hardware.torch_cuda() is None:
        return f"{_REINSTALL} On Windows, torch with CUDA comes from a source of its own: see docs/getting-started.md."
    return "Check that `nvidia-smi` lists the GPU; reinstall or update the NVIDIA driver if it does not."


def _quantization() -> Check:
    try:
        finding = f"bitsandbytes {version('bitsandbytes')} holds weights in four or eight bits."
    except PackageNotFoundError:
        remedy = "Install bitsandbytes, or choose the quantisation `none`."
        return Check(name="Quantisation", ok=False, finding="bitsandbytes is not installed.", remedy=remedy)
    return Check(name="Quantisation", ok=True, finding=finding)


def _outputs(folder: Path) -> Check:
    return _folder("Outputs folder", folder, "Make it writable, or set DARKROOM_OUTPUTS to another folder.")


def _model_cache() -> Check:
    remedy = "Make it writable, or set HF_HOME to another folder."
    check = _folder("Model cache", hub.cache_folder(), remedy)
    return _with_room_for_download(check) if check.ok else check


def _with_room_for_download(check: Check) -> Check:
    preferred = Registry.read().find(PREFERRED)
    if hub.is_here(preferred) or hub.cache_free_bytes() >= preferred.download_bytes:
        return check
    finding = f"{check.finding} {preferred.name} needs {_size(preferred.download_bytes)} to be downloaded."
    return Check(name=check.name, ok=None, finding=finding, remedy="To use it, set HF_HOME to a larger disk.")


def _quantized_cache(folder: Path) -> Check:
    return _folder("Darkroom's cache", folder, "Make it writable, or set DARKROOM_CACHE to another folder.")


def _folder(name: str, folder: Path, remedy: str) -> Check:
    """Whether a folder, or the nearest one above it that exists, takes files and has room."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with TemporaryFile(dir=nearest) as file:
            file.write(b"darkroom")
            file.flush()
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        why = error.strerror or str(error)
        return Check(name=name, ok=False, finding=f"{folder} takes no files: {why}.", remedy=remedy)
    if free < LITTLE_SPACE:
        return Check(name=name, ok=False, finding=f"{folder} has only {_size(free)} free.", remedy="Free some space.")
    return Check(name=name, ok=True, finding=f"{folder} is writable and has {_size(free)} free.")


def _hub_token() -> Check:
    if hub.is_offline():
        finding = "HF_HUB_OFFLINE is set: nothing is downloaded."
        return Check(name="Hugging Face", ok=None, finding=finding, remedy="Unset it to fetch a model.")
    if hub.has_token():
        return Check(name="Hugging Face", ok=True, finding="A token is set.")
    return Check(
        name="Hugging Face",
        ok=None,
        finding="No token is set; gated models cannot be downloaded.",
        remedy="Set HF_TOKEN to a token that may read gated models.",
    )


def _access(settings: Settings) -> Check:
    asks = settings.token is not None
    finding = "Pages and API ask for a token." if asks else "Pages and API ask for no token; DARKROOM_TOKEN sets one."
    return Check(name="Access", ok=True if asks else None, finding=finding)


def _demo(settings: Settings) -> Check:
    try:
        record = Registry.read(settings.models_file, settings.weights).find(FALLBACK)
    except DarkroomError as error:
        return Check(name="Demo model", ok=False, finding=error.info.message, remedy=error.info.remedy)
    damage = next(_damage(ROOT / record.source), None)
    if damage is None:
        return Check(name="Demo model", ok=True, finding=f"{record.name} is complete.")
    remedy = "Fetch the repository again; with Git, `git checkout -- demo` restores it."
    return Check(name="Demo model", ok=False, finding=f"{record.name} cannot run: {damage}", remedy=remedy)


def _damage(checkpoint: Path) -> Iterator[str]:
    """A sentence for each component of a diffusers folder that is missing, empty or cut short."""

    try:
        index = json.loads((checkpoint / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        yield f"{checkpoint / 'model_index.json'} is missing or damaged."
        return
    for component, library in index.items():
        if not isinstance(library, list) or library[0] is None:
            continue
        folder = checkpoint / component
        if not any(folder.glob("*.json")):
            yield f"{component} is missing."
        elif (folder / "config.json").exists() and not any(folder.glob("*.safetensors")):
            yield f"{component} has no weights."
        yield from (f"{component}/{path.name} is damaged." for path in folder.glob("*.safetensors") if not _whole(path))


def _whole(weights: Path) -> bool:
    """Whether a safetensors file has all the bytes that its header promises."""
    try:
        with safe_open(weights, framework="np"):
            return True
    except (SafetensorError, OSError):
        return False


def _default_model(settings: Settings, report: EngineReport | None) -> Check:
    try:
        found = report.hardware if report else hardware.detect()
        registry = Registry.read(settings.models_file, settings.weights, settings.hosted_file)
        choice = choose_default(registry, found, settings.model)
    except DarkroomError as error:
        return Check(name="Default model", ok=False, finding=error.info.message, remedy=error.info.remedy)
    ok = None if choice.remedy else True
    return Check(name="Default model", ok=ok, finding=choice.reason, remedy=choice.remedy)


def _hosted(settings: Settings) -> Iterator[Check]:
    """Which providers can be asked, and which of their models are retired or will be soon; nothing when hosted models
    are off."""
    if settings.hosted == "off":
        return
    try:
        registry = Registry.read(own_hosted=settings.hosted_file)
    except DarkroomError as error:
        yield Check(name="Hosted models", ok=False, finding=error.info.message, remedy=error.info.remedy)
        return
    readiness = Readiness(settings)
    ready = ", ".join(one.name for one in registry.providers if readiness.state(one).ready)
    remedy = "" if ready else "A key is all that most need: `.env.example` names the variables."
    soon = [model.retires_soon() for model in registry.hosted if not model.is_retired()]
    told = [f"Providers that can be asked: {ready or 'none'}.", *_retired(registry.hosted), *filter(None, soon)]
    ok = True if ready and not any(soon) else None
    yield Check(name="Hosted models", ok=ok, finding=" ".join(told), remedy=remedy)


def _retired(models: Sequence[HostedModel]) -> list[str]:
    names = ", ".join(model.name for model in models if model.is_retired())
    return [f"Retired: {names}."] if names else []


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
