import pytest

from pipeline.errors import BadSettings, UnknownModel
from pipeline.models.choose import FALLBACK, PREFERRED, choose_default
from pipeline.models.files import hub
from pipeline.models.hardware import Device, Hardware, cpu
from pipeline.models.registry import Registry

REGISTRY = Registry.read()
ONLY_CPU = Hardware(devices=(cpu(),))
WITH_GPU = Hardware(
    devices=(Device(kind="cuda", name="NVIDIA T4", memory_total=16 * 10**9, memory_free=15 * 10**9), cpu())
)


@pytest.fixture
def weights_here(monkeypatch):
    monkeypatch.setattr(hub, "is_here", lambda record: True)


def test_a_gpu_with_the_weights_runs_the_large_model(weights_here):
    choice = choose_default(REGISTRY, WITH_GPU)
    assert choice.record.id == PREFERRED
    assert (choice.reason, choice.remedy) == ("Stable Diffusion 3.5 Medium on NVIDIA T4.", "")


def test_without_a_gpu_the_demo_runs_and_says_what_is_missing(weights_here):
    choice = choose_default(REGISTRY, ONLY_CPU)
    assert choice.record.id == FALLBACK
    assert choice.reason == "No NVIDIA GPU was found. The built-in demo model runs instead."
    assert choice.remedy


def test_a_gpu_that_cannot_be_used_says_why(weights_here):
    choice = choose_default(REGISTRY, Hardware(devices=(cpu(),), problem="The driver is too old."))
    assert choice.reason.startswith("The driver is too old. ")


def test_weights_that_cannot_be_had_are_the_reason_for_the_demo(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    choice = choose_default(REGISTRY, WITH_GPU)
    assert choice.record.id == FALLBACK
    assert "is gated, and no Hugging Face token is set" in choice.reason
    assert "HF_TOKEN" in choice.remedy


def test_the_setting_wins_over_the_machine():
    choice = choose_default(REGISTRY, ONLY_CPU, "3.5-medium")
    assert choice.record.id == PREFERRED
    assert "DARKROOM_MODEL asks for it" in choice.reason


def test_a_setting_that_names_no_model_is_an_error():
    with pytest.raises(UnknownModel):
        choose_default(REGISTRY, WITH_GPU, "nope")


def test_a_hosted_model_is_no_default_since_prompts_would_leave_unasked():
    with pytest.raises(BadSettings, match="DARKROOM_MODEL cannot be gpt-image-2: GPT Image 2 is hosted"):
        choose_default(REGISTRY, ONLY_CPU, "gpt-image-2")
