"""The linear preview: fitted to a VAE, kept, and small."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from PIL import Image

from pipeline.engine.preview import MAX_SIDE, Previewer, Projection, colour_chart, fit, projection_for
from tests.checkpoints import _demo_vae


@pytest.fixture(scope="module")
def pipeline() -> Any:
    class Pipeline:
        vae = _demo_vae().eval()

        def maybe_free_model_hooks(self) -> None: ...

    return Pipeline()


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


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
    assert fit(pipeline.vae, torch.device("cpu")).matrix.shape == (5, 3)


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


def test_a_flow_is_shown_at_its_expected_end() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(5)
    end, noise = torch.randn(2, 1, 4, 8, 8).unbind()
    previewer = Previewer(Projection(torch.eye(5, 3)), scheduler)
    at = [(1 - sigma) * end + sigma * noise for sigma in scheduler.sigmas]
    assert torch.allclose(previewer._estimate(2, at[2], at[3]), end, atol=1e-5)
    assert torch.equal(previewer._estimate(0, None, at[1]), at[1])


def test_latents_of_another_form_are_not_shown() -> None:
    previewer = Previewer(Projection(torch.rand(5, 3)), scheduler=None)
    assert previewer.after(0, torch.randn(1, 64, 16)) is None
    assert previewer.after(0, torch.randn(1, 16, 8, 8)) is None


def test_previews_wait_when_they_have_had_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 2.0, 3.0, 52.0, 52.001])
    monkeypatch.setattr("pipeline.engine.preview.perf_counter", lambda: next(clock))
    previewer = Previewer(Projection(torch.rand(5, 3)), scheduler=None)
    latents = torch.randn(1, 4, 8, 8)
    assert [previewer.after(step, latents) is not None for step in range(3)] == [True, False, True]


def test_previews_are_not_shown_faster_than_anyone_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 1.0005, 1.09, 1.11, 1.1105])
    monkeypatch.setattr("pipeline.engine.preview.perf_counter", lambda: next(clock))
    previewer = Previewer(Projection(torch.rand(5, 3)), scheduler=None)
    latents = torch.randn(1, 4, 8, 8)
    assert [previewer.after(step, latents) is not None for step in range(3)] == [True, False, True]


def test_the_first_step_of_a_flow_is_noise_and_not_shown() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(5)
    previewer = Previewer(Projection(torch.rand(5, 3)), scheduler)
    latents = torch.randn(1, 4, 8, 8)
    assert [previewer.after(step, latents) is not None for step in range(2)] == [False, True]
