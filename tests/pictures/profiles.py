"""Small colour profiles (ICC version 2), whose effect on a colour is plain to see."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_D50 = (0.9642, 1.0, 0.8249)
_P3 = {"r": (0.5151, 0.2412, -0.0011), "g": (0.2920, 0.6922, 0.0419), "b": (0.1571, 0.0666, 0.7841)}
"""Display P3's primaries as XYZ, adapted to D50."""
_GRID = 2


def wide_gamut() -> bytes:
    """Display P3 with a gamma of 2.2: its colours are stronger than those of sRGB."""
    tags = {b"wtpt": _xyz(_D50)}
    for letter, primary in _P3.items():
        tags[f"{letter}XYZ".encode()] = _xyz(primary)
        tags[f"{letter}TRC".encode()] = b"curv" + struct.pack(">IIHH", 0, 1, round(2.2 * 256), 0)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def gray_inks() -> bytes:
    """Four inks of which each alone prints black: every CMYK colour is a gray."""
    corners = bytearray()
    for corner in range(_GRID**4):
        corners += bytes((0 if corner else 255, 128, 128))  # lightness, a, b
    straight = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    table = b"mft1" + struct.pack(">IBBBB", 0, 4, 3, _GRID, 0) + identity + straight * 4 + corners + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(_D50), b"A2B0": table})


def _profile(kind: bytes, colours: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    start, body, entries = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        entries += name + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x02400000, kind, colours, connection, b"acsp")
    return header + _fixed(_D50) + bytes(48) + struct.pack(">I", len(tags)) + entries + body


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: Sequence[float]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))
