"""Checks against real folders and files; the NVIDIA driver is played by a script with its tool's name."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.hosted import keys
from pipeline.models import hardware
from pipeline.models.hardware import Device, EngineReport, Hardware, cpu
from pipeline.models.registry import Registry
from pipeline.settings import Settings

TWO_GPUS = "0, NVIDIA GeForce RTX 4090, 24564, 24000\n1, NVIDIA GeForce RTX 4070, 12282, 12000\n"


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, outputs=tmp_path / "outputs", cache=tmp_path / "cache")


@pytest.fixture
def no_providers(tmp_path, monkeypatch):
    """No provider but those of one's own, and no key of the machine that runs the tests."""
    monkeypatch.setattr(keys, "ENV_FILE", tmp_path / ".env")
    for one in Registry.read().providers:
        for name in (one.base_url_variable, *(name for names in one.keys for name in names)):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MILL_KEY", "")


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Installs an `nvidia-smi` that answers so."""

    def install(answer: str = TWO_GPUS, cuda: str = "13.0", code: int = 0) -> None:
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir(exist_ok=True)
        header = f"| NVIDIA-SMI 580.1   Driver Version: 580.1   CUDA Version: {cuda} |"
        tool.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"print({answer!r}, end='') if len(sys.argv) > 1 else print({header!r})\nsys.exit({code})\n"
        )
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tool.parent), prepend=":")

    return install


@pytest.fixture
def torch_for_cuda(tmp_path, monkeypatch):
    """Makes the installed torch look built for a CUDA version, or for none."""

    def build(cuda: str | None) -> None:
        monkeypatch.setattr(hardware, "torch_cuda", lambda: cuda)

    return build


def found(settings: Settings, name: str, report: EngineReport | None = None) -> doctor.Check:
    [check] = [check for check in doctor.run(settings, report) if check.name == name]
    return check


def requirements(tmp_path: Path, text: str) -> list[doctor.Check]:
    path = tmp_path / "requirements.txt"
    path.write_text(text)
    return list(doctor._packages(path))


def test_no_check_imports_torch(tmp_path):
    script = (
        "import sys; from pipeline import doctor; from pipeline.settings import Settings\n"
        "doctor.run(Settings(_env_file=None))\n"
        "print([name for name in ('torch', 'diffusers', 'transformers', 'bitsandbytes') if name in sys.modules])"
    )
    root = Path(doctor.__file__).parents[1]
    out = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"


def test_what_does_not_work_always_comes_with_a_remedy(settings, tmp_path):
    settings.outputs.write_text("in the way")
    broken = settings.model_copy(update={"model": "nope"})
    wrong = [check for check in doctor.run(broken) if check.ok is False]
    assert {check.name for check in wrong} >= {"Outputs folder", "Default model"}
    assert all(check.remedy for check in wrong)


# -- packages


def test_packages_as_pinned_are_one_line(tmp_path):
    [check] = requirements(tmp_path, "# head\n\npillow>=1  # reason\npydantic>=2\n")
    assert (check.ok, check.finding) == (True, "All 2 packages are as pinned.")


def test_a_missing_and_a_different_package_are_named(tmp_path):
    missing, different = requirements(tmp_path, "no-such-package==1.0\npillow==0.1\npydantic>=2\n")
    assert (missing.name, missing.ok) == ("Package no-such-package", False)
    assert missing.finding == "no-such-package==1.0 is not installed."
    assert (different.name, different.ok) == ("Package pillow", False)
    assert different.finding.endswith("is installed, not ==0.1.")


def test_a_package_for_another_system_is_not_missed(tmp_path):
    [check] = requirements(tmp_path, "no-such-package==1.0; sys_platform == 'beos'\n")
    assert check.ok


def test_missing_requirements_are_a_note(tmp_path):
    [check] = doctor._packages(tmp_path / "none.txt")
    assert check.ok is None


# -- GPU


def test_gpus_are_counted_and_named(settings, driver, torch_for_cuda):
    driver()
    torch_for_cuda("13.0")
    check = found(settings, "GPU")
    assert check.ok
    assert check.finding == "Found 2 GPU(s): NVIDIA GeForce RTX 4090 (25.8 GB), NVIDIA GeForce RTX 4070 (12.9 GB)."


def test_no_gpu_is_only_a_note(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    check = found(settings, "GPU")
    assert check.ok is None
    assert check.finding.startswith("No GPU was found; the CPU works")


def test_a_gpu_with_a_torch_without_cuda_is_a_sentence_with_a_remedy(settings, driver, torch_for_cuda):
    driver()
    torch_for_cuda(None)
    check = found(settings, "GPU")
    assert check.ok is False
    assert "built without CUDA" in check.finding
    assert "--force-reinstall" in check.remedy


def test_a_driver_older_than_the_torch_build_is_told_apart(settings, driver, torch_for_cuda):
    driver(cuda="12.4")
    torch_for_cuda("13.0")
    check = found(settings, "GPU")
    assert check.ok is False
    assert "runs CUDA 12.4 at most, and the installed torch was built for CUDA 13.0" in check.finding
    assert check.remedy == "Update the NVIDIA driver."


def test_a_driver_that_fails_is_a_sentence(settings, driver):
    driver(answer="", code=9)
    check = found(settings, "GPU")
    assert check.ok is False
    assert check.finding == "The NVIDIA driver is installed, but it reports no GPU."


def test_what_torch_really_sees_wins_over_the_driver(settings, driver, torch_for_cuda):
    driver()
    torch_for_cuda("13.0")
    blind = EngineReport(hardware=Hardware(devices=(cpu(),)), versions={})
    check = found(settings, "GPU", blind)
    assert check.ok is False
    assert "torch cannot use it" in check.finding
    gpu = Device(kind="cuda", name="NVIDIA H200", memory_total=141 * 10**9, memory_free=10**9)
    seeing = EngineReport(hardware=Hardware(devices=(gpu, cpu())), versions={})
    driver(cuda="12.4")
    assert found(settings, "GPU", seeing).finding == "Found 1 GPU(s): NVIDIA H200 (141.0 GB)."


# -- folders, tokens, models


def test_folders_that_do_not_exist_yet_are_not_made(settings, tmp_path):
    assert found(settings, "Outputs folder").ok
    assert found(settings, "Darkroom's cache").ok
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_almost_full_is_wrong(settings, monkeypatch):
    monkeypatch.setattr(doctor, "LITTLE_SPACE", 2**62)
    check = found(settings, "Outputs folder")
    assert check.ok is False
    assert "has only" in check.finding


def test_secrets_are_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_xyzzy")
    settings = Settings(_env_file=None, outputs=tmp_path, cache=tmp_path, token="door_xyzzy")
    checks = doctor.run(settings)
    assert "xyzzy" not in json.dumps([check.model_dump() for check in checks])
    assert found(settings, "Hugging Face").finding == "A token is set."
    assert found(settings, "Access").finding == "Pages and API ask for a token."


def test_a_whole_checkpoint_has_no_damage(tiny_checkpoint):
    assert list(doctor._damage(tiny_checkpoint)) == []


def test_missing_and_cut_files_of_a_checkpoint_are_named(tiny_checkpoint, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    [weights] = (folder / "vae").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    [pointer] = (folder / "transformer").glob("*.safetensors")
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    next((folder / "text_encoder").glob("*.safetensors")).unlink()
    shutil.rmtree(folder / "scheduler")
    assert sorted(doctor._damage(folder)) == [
        "scheduler is missing.",
        "text_encoder has no weights.",
        f"transformer/{pointer.name} is damaged.",
        f"vae/{weights.name} is damaged.",
    ]


def test_a_checkpoint_that_is_not_there_is_a_sentence(tmp_path):
    [damage] = doctor._damage(tmp_path / "none")
    assert "model_index.json is missing or damaged" in damage


def test_the_default_model_comes_with_its_reason(settings):
    check = found(settings.model_copy(update={"model": "demo"}), "Default model")
    assert check.ok
    assert check.finding == "Darkroom demo, because DARKROOM_MODEL asks for it."


HOSTED = """
[[provider]]
id = "mill"
name = "The Mill"
adapter = "mill"
base_url = "https://mill.invalid/v1"
{keys}

[[model]]
id = "mill/wheel"
name = "Wheel"
provider = "mill"
source = "wheel-1"
summary = "Makes what it is told."
size = {{ native = [64, 48], multiple = 1, min = 16, max = 4096 }}
prompt_characters = 1000
{dates}
"""


def write_hosted(settings: Settings, keys: str = "", dates: str = "") -> None:
    settings.hosted_file.parent.mkdir(parents=True)
    settings.hosted_file.write_text(HOSTED.format(keys=keys, dates=dates))


def test_providers_that_can_be_asked_are_named(settings, no_providers):
    write_hosted(settings)
    check = found(settings, "Hosted models")
    assert check.finding.startswith("Providers that can be asked: The Mill.")
    assert check.remedy == ""


def test_without_any_key_it_is_said_what_is_missing(settings, no_providers):
    write_hosted(settings, keys='keys = [["MILL_KEY"]]')
    check = found(settings, "Hosted models")
    assert check.ok is None
    assert check.finding.startswith("Providers that can be asked: none.")
    assert ".env.example" in check.remedy


@pytest.mark.parametrize("days", [1, 59])
def test_a_model_that_is_retired_soon_is_said_with_what_to_use_instead(settings, no_providers, days):
    day = datetime.now(UTC).date() + timedelta(days=days)
    write_hosted(settings, dates=f'retires = {day}\nreplacement = "mill/wind"')
    check = found(settings, "Hosted models")
    assert check.ok is None
    assert f"Wheel is retired on {day.day} {day:%B %Y}. Use mill/wind instead." in check.finding


def test_models_that_are_retired_are_named(settings, no_providers):
    write_hosted(settings, dates="retires = 2026-01-31")
    assert re.search(r"Retired: (.*, )?Wheel\.", found(settings, "Hosted models").finding)


def test_records_of_hosted_models_that_cannot_be_read_are_named(settings):
    settings.hosted_file.parent.mkdir(parents=True)
    settings.hosted_file.write_text("[[model]]\nid = 5\n")
    check = found(settings, "Hosted models")
    assert check.ok is False
    assert str(settings.hosted_file) in check.finding


def test_switched_off_nothing_is_said_of_hosted_models(settings):
    off = settings.model_copy(update={"hosted": "off"})
    assert "Hosted models" not in [check.name for check in doctor.run(off)]


def test_a_hosted_model_as_the_default_is_a_finding(settings):
    check = found(settings.model_copy(update={"model": "gpt-image-2"}), "Default model")
    assert check.ok is False
    assert "GPT Image 2 is hosted" in check.finding
