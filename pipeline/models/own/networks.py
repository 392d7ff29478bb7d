"""Which network an upscaler's file is for, told from the names and shapes of its tensors.

Two networks are known, Compact and ESRGAN, which most published upscalers are. A file is one of them only if it has
exactly its tensors, so that what is listed can also be loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Literal

from pipeline.models.header import TensorFacts

Shapes = dict[str, tuple[int, ...]]

_DENSE = 5
"""Convolutions in one dense block of ESRGAN; each reads what all before it found."""
_KERNEL = (3, 3)
_UNSHUFFLED = {3: 1, 12: 2, 48: 4}
"""Channels that ESRGAN's first convolution reads → side of the squares of pixels that are stacked into them."""
_NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
        (r"model\.1\.sub\.\d+\.(?=weight|bias)", "conv_body."),
        (r"RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
        (r"trunk_conv\.", "conv_body."),
        (r"upconv(\d)\.", r"conv_up\1."),
        (r"HRconv\.", "conv_hr."),
    )
)
"""ESRGAN's parameters are called in three ways: those of its first release and of BSRGAN → those of Real-ESRGAN."""
_NUMBERED = re.compile(r"model\.(\d+)\.(?:weight|bias)")


@dataclass(frozen=True, slots=True)
class Network:
    """What is needed to build the network of an upscaler."""

    architecture: Literal["compact", "esrgan"]
    factor: int
    """How many times as wide and high it makes a picture."""
    features: int
    blocks: int
    grow: int = 0
    """ESRGAN: channels that each convolution of a dense block adds."""
    unshuffle: int = 1
    """ESRGAN: it stacks squares of so many pixels a side first, so that sides have to be multiples of it."""

    @property
    def reach(self) -> int:
        """How many pixels away, in what it reads, a pixel can change what it makes of another one."""
        if self.architecture == "compact":
            return self.blocks + 2
        return (3 * _DENSE * self.blocks + 6) * self.unshuffle


def network_of(tensors: Mapping[str, TensorFacts]) -> Network | None:
    """The network that a file with those tensors is for; None when it is not exactly one of those known."""
    new = renamed(tensors)
    found = {new[name]: facts.shape for name, facts in tensors.items()}
    network = _compact(found) if "body.0.weight" in found else _esrgan(found)
    return network if network and found == dict(_shapes(network)) else None


def renamed(names: Iterable[str]) -> dict[str, str]:
    """Each parameter's name in a file → its name in the network."""
    found = {name: _renamed(name) for name in names}
    numbers = sorted({int(number[1]) for name in found if (number := _NUMBERED.fullmatch(name))})
    if len(numbers) < 3:
        return found
    first, *ups, large, last = numbers
    new = {first: "conv_first", large: "conv_hr", last: "conv_last"}
    new |= {number: f"conv_up{place}" for place, number in enumerate(ups, 1)}
    for name in found:
        if number := _NUMBERED.fullmatch(name):
            found[name] = f"{new[int(number[1])]}.{name.rsplit('.', 1)[1]}"
    return found


def _renamed(name: str) -> str:
    for pattern, new in _NAMES:
        if pattern.match(name):
            return pattern.sub(new, name, count=1)
    return name


def _compact(found: Shapes) -> Network | None:
    layers = 1 + max((int(name.split(".")[1]) for name in found if re.fullmatch(r"body\.\d+\.\w+", name)), default=0)
    pixels = found.get(f"body.{layers - 1}.bias", (0,))[0] / 3
    factor = round(pixels**0.5)
    return Network("compact", factor, found["body.0.weight"][0], (layers - 3) // 2)


def _esrgan(found: Shapes) -> Network | None:
    first, grown = (found.get(name, ()) for name in ("conv_first.weight", "body.0.rdb1.conv1.weight"))
    if len(first) != 4 or len(grown) != 4 or first[1] not in _UNSHUFFLED:
        return None
    blocks, ups = _how_many(found, "body.{}.rdb1.conv1.weight", 0), _how_many(found, "conv_up{}.weight", 1)
    unshuffle = _UNSHUFFLED[first[1]]
    return Network("esrgan", 2**ups // unshuffle, first[0], blocks, grow=grown[0], unshuffle=unshuffle)


def _how_many(found: Shapes, pattern: str, start: int) -> int:
    return sum(1 for _ in takewhile(lambda number: pattern.format(number) in found, count(start)))


def _shapes(network: Network) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter."""
    layers = _compact_layers(network) if network.architecture == "compact" else _esrgan_layers(network)
    for name, out, into in layers:
        if into:
            yield f"{name}.weight", (out, into, *_KERNEL)
            yield f"{name}.bias", (out,)
        else:
            yield f"{name}.weight", (out,)


def _compact_layers(network: Network) -> Iterator[tuple[str, int, int]]:
    """Name, and channels that each layer makes and reads; none are read by the slopes of a PReLU."""
    features, last = network.features, 2 * network.blocks + 2
    yield "body.0", features, 3
    for place in range(1, last):
        yield f"body.{place}", features, 0 if place % 2 else features
    yield f"body.{last}", 3 * network.factor**2, features


def _esrgan_layers(network: Network) -> Iterator[tuple[str, int, int]]:
    features, grow = network.features, network.grow
    yield "conv_first", features, 3 * network.unshuffle**2
    for block in range(network.blocks):
        for dense in (1, 2, 3):
            for place in range(1, _DENSE + 1):
                out = features if place == _DENSE else grow
                yield f"body.{block}.rdb{dense}.conv{place}", out, features + (place - 1) * grow
    ups = (network.factor * network.unshuffle).bit_length() - 1
    for name in ("conv_body", *(f"conv_up{place + 1}" for place in range(ups)), "conv_hr"):
        yield name, features, features
    yield "conv_last", 3, features
