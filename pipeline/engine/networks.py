"""The networks of learned upscalers, as far as enlarging a picture needs them: Compact and ESRGAN.

Both read and give RGB with values from 0 to 1, shape (1, 3, height, width). Their parameters have the names of the
published weights, so that files load as they are.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from pipeline.models.header import read_header
from pipeline.models.own.networks import Network, network_of, renamed

_SLOPE = 0.2
"""Of ESRGAN's leaky ReLUs."""
_RESIDUE = 0.2
"""By how much a block's result is scaled before it is added to what it was made from."""


class Compact(nn.Module):
    """SRVGGNetCompact of Real-ESRGAN (https://github.com/xinntao/Real-ESRGAN): a row of convolutions at the small
    size, whose last one gives `factor`² pixels for each; what it learns is the difference to a plain enlargement."""

    def __init__(self, features: int, blocks: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.body = nn.ModuleList([_conv(3, features), nn.PReLU(features)])
        for _ in range(blocks):
            self.body.extend([_conv(features, features), nn.PReLU(features)])
        self.body.append(_conv(features, 3 * factor**2))

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """The picture, `factor` times as large."""
        held = picture
        for layer in self.body:
            held = layer(held)
        return F.pixel_shuffle(held, self.factor) + F.interpolate(picture, scale_factor=self.factor, mode="nearest")


class Esrgan(nn.Module):
    """RRDBNet of ESRGAN (https://arxiv.org/abs/1809.00219), and of Real-ESRGAN with `unshuffle`, whose smaller factors
    stack squares of pixels first."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        features, self.unshuffle = network.features, network.unshuffle
        self.conv_first = _conv(3 * self.unshuffle**2, features)
        self.body = nn.Sequential(*(_Block(features, network.grow) for _ in range(network.blocks)))
        self.conv_body = _conv(features, features)
        self.ups = (network.factor * self.unshuffle).bit_length() - 1
        for place in range(1, self.ups + 1):
            self.add_module(f"conv_up{place}", _conv(features, features))
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, 3)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """The picture, `factor` times as large. Its sides are multiples of `unshuffle`."""
        held = self.conv_first(F.pixel_unshuffle(picture, self.unshuffle))
        held = held + self.conv_body(self.body(held))
        for place in range(1, self.ups + 1):
            held = F.interpolate(held, scale_factor=2, mode="nearest")
            held = _leaky(self.get_submodule(f"conv_up{place}")(held))
        found: torch.Tensor = self.conv_last(_leaky(self.conv_hr(held)))
        return found


class _Block(nn.Module):
    """Three dense blocks in a row."""

    def __init__(self, features: int, grow: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_Dense(features, grow) for _ in range(3))

    def forward(self, held: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.rdb3(self.rdb2(self.rdb1(held)))
        return held + _RESIDUE * found


class _Dense(nn.Module):
    """Five convolutions, each of which reads what all before it found."""

    def __init__(self, features: int, grow: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = (_conv(features + n * grow, grow) for n in range(4))
        self.conv5 = _conv(features + 4 * grow, features)

    def forward(self, held: torch.Tensor) -> torch.Tensor:
        seen = held
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, _leaky(layer(seen))], dim=1)
        found: torch.Tensor = self.conv5(seen)
        return held + _RESIDUE * found


def read_network(path: Path, device: str) -> tuple[Network, nn.Module]:
    """The network in the safetensors file at `path`, in float32 on `device`, and what it is.

    Raises `ValueError` for a file that is damaged or holds no network that is known here, and `OSError`.
    """
    network = network_of(read_header(path).tensors)
    if network is None:
        raise ValueError("it holds no network of an upscaler that is known here")
    model = _built(network)
    tensors = load_file(path)
    names = renamed(tensors)
    model.load_state_dict({names[name]: tensor.float() for name, tensor in tensors.items()})
    # In this order of numbers a processor takes half the time for it.
    model = model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network, model.to(device)


def _built(network: Network) -> nn.Module:
    if network.architecture == "compact":
        return Compact(network.features, network.blocks, network.factor)
    return Esrgan(network)


def _conv(into: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, padding=1)


def _leaky(held: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(held, _SLOPE, inplace=True)
