"""The linear preview: fitted to a VAE, kept, and small."""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLQwenImage,
    DDIMScheduler,
    DDPMScheduler,
    DDPMWuerstchenScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
    VQModel,
)
from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel
from PIL import Image

from pipeline.engine.preview import (
    MAX_SIDE,
    ExpectedEnd,
    Previewer,
    Projection,
    colour_chart,
    fit,
    projection_for,
    reader_of,
)
from tests.checkpoints import demo_vae


@pytest.fixture(scope="module")
def pipeline() -> Any:
    class Pipeline:
        vae = demo_vae().eval()

    return Pipeline()


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def fitted(vae: Any) -> torch.Tensor:
    reader = reader_of(vae)
    assert reader is not None
    return fit(vae, reader, torch.device("cpu")).matrix


def test_the_chart_covers_the_colours() -> None:
    chart = colour_chart()
    assert chart.shape == (1, 3, 256, 256)
    assert chart.min() < 0.05
    assert chart.max() > 0.95


def test_a_linear_code_is_recovered_exactly() -> None:
    matrix = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    red = torch.tensor([0.5, -0.5, -0.5, 9.0]).reshape(4, 1, 1).expand(4, 8, 8)
    pixel = opened(Projection(matrix).jpeg(red)).getpixel((4, 4))
    assert pixel[0] > 250
    assert max(pixel[1:]) < 5


def test_a_fit_has_a_row_for_each_channel_and_one_for_the_constant(pipeline: Any) -> None:
    assert fitted(pipeline.vae).shape == (5, 3)


def test_a_projection_is_kept_and_found_again(pipeline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = projection_for(pipeline, "cpu", "one", tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr("pipeline.engine.preview.fit", lambda *_: pytest.fail("fitted again"))
    assert torch.equal(projection_for(pipeline, "cpu", "one", tmp_path).matrix, made.matrix)


def test_another_revision_has_its_own_projection(pipeline: Any, tmp_path: Path) -> None:
    for revision in ("one", "two"):
        projection_for(pipeline, "cpu", revision, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_projection_is_fitted_again(pipeline: Any, tmp_path: Path) -> None:
    made = projection_for(pipeline, "cpu", "one", tmp_path)
    [file] = tmp_path.iterdir()
    file.write_bytes(b"rubbish")
    assert torch.allclose(projection_for(pipeline, "cpu", "one", tmp_path).matrix, made.matrix, atol=1e-4)


def test_a_cache_that_cannot_be_written_does_not_stop_previews(pipeline: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert projection_for(pipeline, "cpu", "one", tmp_path / "file" / "previews") is not None


def test_a_model_without_such_a_vae_has_no_previews(tmp_path: Path) -> None:
    assert projection_for(object(), "cpu", "one", tmp_path) is None


def test_previews_of_large_latents_are_bounded() -> None:
    assert opened(Projection(torch.rand(5, 3)).jpeg(torch.randn(4, 300, 600))).size == (MAX_SIDE, MAX_SIDE // 2)


def test_latents_that_are_not_numbers_still_give_a_picture() -> None:
    assert Projection(torch.rand(5, 3)).jpeg(torch.full((4, 8, 8), torch.nan))


KL = {"block_out_channels": (8, 8), "down_block_types": ("DownEncoderBlock2D",) * 2, "norm_num_groups": 4}
DC = {
    "encoder_block_types": "ResBlock",
    "decoder_block_types": "ResBlock",
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "encoder_layers_per_block": (1, 1),
    "decoder_layers_per_block": (1, 1),
}
VAES: dict[str, Any] = {
    "kl": lambda: AutoencoderKL(**KL, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4),
    "kl of qwen": lambda: AutoencoderKLQwenImage(base_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
    "dc": lambda: AutoencoderDC(**DC, latent_channels=4),
    "movq": lambda: VQModel(**KL, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4),
    "paella": lambda: PaellaVQModel(bottleneck_blocks=1, embed_dim=8, num_vq_embeddings=8),
}


@pytest.mark.parametrize("kind", VAES)
def test_every_kind_of_vae_gives_back_the_colours_of_what_it_encoded(kind: str) -> None:
    torch.manual_seed(0)
    vae = VAES[kind]().eval()
    reader = reader_of(vae)
    assert reader is not None
    chart = colour_chart()
    with torch.no_grad():
        latents = reader(vae, chart)[0]
    shown = opened(Projection(fitted(vae)).jpeg(latents)).convert("RGB")
    seen = torch.tensor(list(shown.get_flattened_data())).reshape(shown.height, shown.width, 3).permute(2, 0, 1) / 255
    meant = torch.nn.functional.adaptive_avg_pool2d(chart, seen.shape[-2:])[0]
    grey = meant.mean(dim=(1, 2), keepdim=True)
    assert (seen - meant).abs().mean() < 0.9 * (grey - meant).abs().mean()


def test_a_fit_leaves_the_vae_as_it_was() -> None:
    vae = demo_vae().eval().to(torch.bfloat16)
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    assert fitted(vae).dtype == torch.float32
    assert all(torch.equal(tensor, before[name]) for name, tensor in vae.state_dict().items())


SCHEDULERS: dict[str, Any] = {
    "flow": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0),
    "euler": EulerDiscreteScheduler,
    "euler ancestral": EulerAncestralDiscreteScheduler,
    "ddim": DDIMScheduler,
    "ddim that predicts v": lambda: DDIMScheduler(prediction_type="v_prediction", clip_sample=False),
    "ddpm": DDPMScheduler,
    "pndm": lambda: PNDMScheduler(skip_prk_steps=True),
    "dpm": DPMSolverMultistepScheduler,
    "dpm of a flow": lambda: DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    "unipc": UniPCMultistepScheduler,
    "wuerstchen": DDPMWuerstchenScheduler,
}


def output(scheduler: Any, end: torch.Tensor, sample: torch.Tensor, level: tuple[float, float]) -> torch.Tensor:
    """What a model that knows the `end` answers to `sample`."""
    signal, noise = level
    drawn = (sample - signal * end) / noise
    kind = scheduler.config.get("prediction_type", "epsilon")
    if isinstance(scheduler, FlowMatchEulerDiscreteScheduler) or kind == "flow_prediction":
        return drawn - end
    return signal * drawn - noise * end if kind == "v_prediction" else drawn


def level_of(scheduler: Any, step: int) -> tuple[float, float]:
    """Signal and noise before `step`, by the scheduler's own tables."""
    if isinstance(scheduler, DDPMWuerstchenScheduler):
        kept = float(scheduler._alpha_cumprod(scheduler.timesteps[step : step + 1], "cpu"))
        return kept**0.5, (1 - kept) ** 0.5
    if hasattr(scheduler, "sigmas"):
        sigma = float(scheduler.sigmas[step])
        if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
            return tuple(float(part) for part in scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[step]))
        return (1 - sigma, sigma) if isinstance(scheduler, FlowMatchEulerDiscreteScheduler) else (1.0, sigma)
    kept = float(scheduler.alphas_cumprod[int(scheduler.timesteps[step])])
    return kept**0.5, (1 - kept) ** 0.5


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_expected_end_is_what_the_model_predicts(name: str) -> None:
    torch.manual_seed(0)
    scheduler = SCHEDULERS[name]()
    scheduler.set_timesteps(5)
    expected = ExpectedEnd(scheduler)
    end = torch.rand(1, 4, 8, 8) - 0.5
    signal, noise = level_of(scheduler, 0)
    latents = signal * end + noise * torch.randn(end.shape)
    assert torch.equal(expected.of(latents), latents)
    for step, time in enumerate(scheduler.timesteps[:3]):
        # The second call of PNDM does the first step again, from a middle that is no mixture of end and noise.
        if name == "pndm" and step == 1:
            break
        at = time.reshape(1) if name == "wuerstchen" else time
        answer = output(scheduler, end, latents, level_of(scheduler, step))
        latents = scheduler.step(answer, at, latents).prev_sample
        assert torch.allclose(expected.of(latents), end, atol=2e-3)


def test_overhearing_a_scheduler_changes_nothing() -> None:
    plain, overheard = (DDPMScheduler() for _ in range(2))
    ExpectedEnd(overheard)
    sample, answer = torch.randn(2, 1, 4, 8, 8).unbind()
    made = []
    for scheduler in (plain, overheard):
        scheduler.set_timesteps(5)
        draw = torch.Generator().manual_seed(0)
        made.append(scheduler.step(answer, scheduler.timesteps[0], sample, generator=draw, return_dict=False)[0])
    assert torch.equal(*made)
    assert "generator" in inspect.signature(overheard.step).parameters


def test_latents_of_another_form_are_not_shown() -> None:
    previewer = Previewer(Projection(torch.rand(5, 3)), scheduler=None)
    assert previewer.after(torch.randn(1, 64, 16)) is None
    assert previewer.after(torch.randn(1, 16, 8, 8)) is None


def test_previews_wait_when_they_have_had_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 2.0, 3.0, 52.0, 52.001])
    monkeypatch.setattr("pipeline.engine.preview.perf_counter", lambda: next(clock))
    previewer = Previewer(Projection(torch.rand(5, 3)), scheduler=None)
    latents = torch.randn(1, 4, 8, 8)
    assert [previewer.after(latents) is not None for _ in range(3)] == [True, False, True]


def test_previews_are_not_shown_faster_than_anyone_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 1.0005, 1.09, 1.11, 1.1105])
    monkeypatch.setattr("pipeline.engine.preview.perf_counter", lambda: next(clock))
    previewer = Previewer(Projection(torch.rand(5, 3)), scheduler=None)
    latents = torch.randn(1, 4, 8, 8)
    assert [previewer.after(latents) is not None for _ in range(3)] == [True, False, True]
