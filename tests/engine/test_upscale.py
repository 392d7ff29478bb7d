"""Pictures made larger: better than by resizing, the same with and without tiles, and stopped when one likes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage.metrics import peak_signal_noise_ratio

from demo.data import scene_at
from demo.drawing import render
from pipeline.engine import GenerationCancelled
from pipeline.engine.networks import Compact, Esrgan
from pipeline.engine.upscale import tiles_of, upscale
from pipeline.errors import InvalidRequest
from pipeline.models.own.networks import Network
from pipeline.models.upscalers import DARKROOM, LANCZOS, Upscaler


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """An unseen scene as the demo draws it, 256 × 256."""
    return render(scene_at("validation", 3))[0]


@pytest.fixture(params=["compact", "esrgan"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Upscaler:
    """A file of one's own with random weights, strong enough that neighbours matter."""
    torch.manual_seed(0)
    model = {
        "compact": Compact(8, 4, 3),
        "esrgan": Esrgan(Network("esrgan", factor=2, features=8, blocks=1, grow=4, unshuffle=2)),
    }[request.param]
    tensors = {name: 2 * tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, tmp_path / "own.safetensors")
    return Upscaler("own", "", path=tmp_path / "own.safetensors")


@pytest.mark.parametrize("index", range(4))
def test_darkroom_s_upscaler_is_nearer_to_the_drawing_than_resizing_is(index: int) -> None:
    drawn = render(scene_at("validation", index), 2)[0]
    small, truth = drawn.reduce(4), np.asarray(drawn)
    learned = peak_signal_noise_ratio(truth, np.asarray(upscale(small, 4, DARKROOM)))
    for method in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS):
        assert learned > peak_signal_noise_ratio(truth, np.asarray(small.resize(drawn.size, method)))


def test_twice_the_size_is_nearer_to_the_drawing_too(scene: Image.Image) -> None:
    small, truth = scene.reduce(2), np.asarray(scene)
    learned, resized = (np.asarray(upscale(small, 2, how)) for how in (DARKROOM, LANCZOS))
    assert learned.shape == (256, 256, 3)
    assert peak_signal_noise_ratio(truth, learned) > peak_signal_noise_ratio(truth, resized) + 1


def test_lanczos_is_pillow_s(scene: Image.Image) -> None:
    large = upscale(scene, 3, LANCZOS)
    assert large.tobytes() == scene.resize((768, 768), Image.Resampling.LANCZOS).tobytes()
    assert tiles_of(scene.size, LANCZOS) == 0


@pytest.mark.parametrize("factor", [4, 3, 2])
def test_tiles_leave_the_picture_as_it_is(network: Upscaler, factor: int, scene: Image.Image) -> None:
    picture = scene.crop((60, 90, 161, 221))  # sides that no tile divides
    whole = np.asarray(upscale(picture, factor, network, tile=1000)).astype(int)
    tiled = np.asarray(upscale(picture, factor, network, tile=40)).astype(int)
    assert whole.shape == (131 * factor, 101 * factor, 3)
    assert np.abs(whole - tiled).max() <= 2


def test_every_tile_is_reported_and_the_report_can_end_it(scene: Image.Image) -> None:
    reports: list[tuple[int, int]] = []
    upscale(scene, 2, DARKROOM, report=lambda *told: reports.append(told))
    assert reports == [(done, 4) for done in range(1, 5)]
    assert tiles_of(scene.size, DARKROOM) == 4

    def end(done: int, total: int) -> None:
        raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        upscale(scene, 2, DARKROOM, report=end)


def test_a_file_that_was_changed_is_read_again(network: Upscaler, scene: Image.Image) -> None:
    small = scene.reduce(8)
    before = upscale(small, 2, network)
    assert network.path is not None
    network.path.write_bytes(b"hello")
    with pytest.raises(InvalidRequest, match=r"“own” cannot be read: it is not a safetensors file\. Choose"):
        upscale(small, 2, network)
    assert before.size == (64, 64)


def test_a_file_that_is_no_upscaler_is_refused(tmp_path: Path, scene: Image.Image) -> None:
    save_file({"lora.weight": torch.zeros(4)}, tmp_path / "lora.safetensors")
    with pytest.raises(InvalidRequest, match="holds no network of an upscaler") as caught:
        upscale(scene, 2, Upscaler("lora", "", path=tmp_path / "lora.safetensors"))
    assert caught.value.info.field == "upscale"
