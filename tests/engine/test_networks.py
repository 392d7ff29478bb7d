"""The networks of learned upscalers: files under all their names are read, and give a picture of the right size."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.engine.networks import Compact, Esrgan, read_network
from pipeline.models.own.networks import Network

SMALL = Network("esrgan", factor=4, features=8, blocks=2, grow=4)
UNSHUFFLED = Network("esrgan", factor=2, features=8, blocks=1, grow=4, unshuffle=2)
PICTURE = torch.rand(1, 3, 12, 20, generator=torch.Generator().manual_seed(0))


def saved(model: torch.nn.Module, path: Path, names: dict[str, str] | None = None) -> Path:
    """The model's weights in float16; `names` are put in the place of parts of the parameters' names."""

    def called(name: str) -> str:
        return reduce(lambda found, pair: found.replace(*pair), (names or {}).items(), name)

    save_file({called(name): tensor.half().contiguous() for name, tensor in model.state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    ("model", "network"),
    [
        (Compact(8, 3, 2), Network("compact", factor=2, features=8, blocks=3)),
        (Esrgan(SMALL), SMALL),
        (Esrgan(UNSHUFFLED), UNSHUFFLED),
    ],
    ids=["compact", "esrgan", "esrgan unshuffled"],
)
def test_a_file_becomes_the_network_that_wrote_it(model: torch.nn.Module, network: Network, tmp_path: Path) -> None:
    found, read = read_network(saved(model, tmp_path / "x.safetensors"), "cpu")
    assert found == network
    with torch.inference_mode():
        made, wanted = read(PICTURE), model.half().float()(PICTURE)
    assert made.shape == (1, 3, 12 * network.factor, 20 * network.factor)
    assert torch.allclose(made, wanted, atol=1e-5)


FIRST_RELEASE = {
    "conv_first": "model.0", "body.0.rdb": "model.1.sub.0.RDB", "body.1.rdb": "model.1.sub.1.RDB",
    "conv_body": "model.1.sub.2", "conv_up1": "model.3", "conv_up2": "model.6", "conv_hr": "model.8",
    "conv_last": "model.10",
    **{f".conv{place}.": f".conv{place}.0." for place in range(1, 6)},
}  # fmt: skip
BSRGAN = {
    "conv_body": "trunk_conv", "body.": "RRDB_trunk.", ".rdb": ".RDB", "conv_up": "upconv", "conv_hr": "HRconv",
}  # fmt: skip


@pytest.mark.parametrize("names", [FIRST_RELEASE, BSRGAN], ids=["first release", "BSRGAN"])
def test_esrgan_is_the_same_network_under_its_older_names(names: dict[str, str], tmp_path: Path) -> None:
    model = Esrgan(SMALL)
    network, old = read_network(saved(model, tmp_path / "old.safetensors", names), "cpu")
    _, new = read_network(saved(model, tmp_path / "new.safetensors"), "cpu")
    assert network == SMALL
    with torch.inference_mode():
        assert torch.equal(old(PICTURE), new(PICTURE))


def test_a_file_without_a_known_network_is_refused(tmp_path: Path) -> None:
    save_file({"body.0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match="no network of an upscaler that is known"):
        read_network(tmp_path / "odd.safetensors", "cpu")
