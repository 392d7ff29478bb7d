"""A small painter over Pillow that keeps a label map beside the picture, and the light of a scene.

Coordinates are pixels of a 512 x 512 canvas, twice the size of the final picture, so that halving it
smooths every edge; a larger canvas is drawn with the same coordinates (`Painter.scale`). Every opaque shape is
drawn twice: in colour, and with its class into a small label map. The label map costs almost nothing and gives
training a dense, exact side task (see `train.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from demo.scenes import Scene

SIZE = 512
LABEL_SIZE = 64
LABELS = (
    "sky", "sun", "moon", "cloud", "water", "sand", "grass", "peak", "pine", "crop", "house", "boat", "lighthouse",
    "tree", "cactus", "castle", "balloon", "car", "town", "ghost town",
)  # fmt: skip

RGB = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]


def mix(a: RGB, b: RGB, amount: float) -> RGB:
    """Colour `a` moved towards `b` by `amount` (0 to 1)."""
    return tuple(round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def dim(colour: RGB, factor: float) -> RGB:
    """Colour scaled in brightness."""
    return tuple(min(255, round(x * factor)) for x in colour)  # type: ignore[return-value]


@functools.lru_cache(maxsize=512)
def vertical_ramp(stops: tuple[tuple[float, RGB], ...], size: int) -> Image.Image:
    """A picture of `size` pixels a side that runs through the colours of `stops` (height 0 to 1) from top to bottom."""
    heights, colours = zip(*stops, strict=True)
    rows = np.linspace(0, 1, size)
    channels = [np.interp(rows, heights, [c[k] for c in colours]) for k in range(3)]
    column = np.stack(channels, axis=-1).round().astype(np.uint8)[:, None]
    return Image.fromarray(column).resize((size, size))


@functools.lru_cache(maxsize=64)
def vertical_alpha(stops: tuple[tuple[float, float], ...], size: int) -> Image.Image:
    """A mask of `size` pixels a side that runs through the opacities of `stops` from top to bottom."""
    heights, values = zip(*stops, strict=True)
    column = (np.interp(np.linspace(0, 1, size), heights, values) * 255).round().astype(np.uint8)
    return Image.fromarray(column[:, None]).resize((size, size))


@functools.lru_cache(maxsize=64)
def _glow_mask(radius: int, strength: float) -> Image.Image:
    """A round mask that fades smoothly to nothing at `radius`."""
    axis = np.linspace(-1, 1, 2 * radius)
    distance = np.hypot(axis[:, None], axis[None, :]).clip(0, 1)
    return Image.fromarray(((1 - distance) ** 2 * strength * 255).astype(np.uint8))


class Painter:
    """Draws shapes into a picture and, where a label is set, into its label map."""

    def __init__(self, scale: int = 1) -> None:
        self.scale = scale
        self.size = SIZE * scale
        """Pixels a side of the canvas."""
        self.image = Image.new("RGB", (self.size, self.size))
        self.labels = Image.new("L", (LABEL_SIZE, LABEL_SIZE))
        self.label = 0
        self._pen = ImageDraw.Draw(self.image)
        self._label_pen = ImageDraw.Draw(self.labels)

    def use(self, label: str) -> None:
        """Give the shapes that follow this class."""
        self.label = LABELS.index(label)

    @staticmethod
    def _small(points: Sequence[Point]) -> list[Point]:
        ratio = LABEL_SIZE / SIZE
        return [(x * ratio, y * ratio) for x, y in points]

    def _large(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def box(self, box: Box) -> Box:
        """A box in pixels of the canvas."""
        return tuple(value * self.scale for value in box)  # type: ignore[return-value]

    def _stroke(self, width: float) -> int:
        return max(1, round(width * self.scale))

    def poly(self, points: Sequence[Point], colour: RGB, bottom: RGB | None = None) -> None:
        """A filled polygon, with a vertical gradient when `bottom` is given."""
        self._label_pen.polygon(self._small(points), fill=self.label)
        if bottom is None:
            self._pen.polygon(self._large(points), fill=colour)
            return
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon(self._large(points), fill=255)
        top_edge = max(0.0, min(y for _, y in points) / SIZE)
        bottom_edge = min(1.0, max(y for _, y in points) / SIZE)
        ramp = vertical_ramp(((round(top_edge, 2), colour), (round(bottom_edge, 2), bottom)), self.size)
        self.image.paste(ramp, (0, 0), mask)

    def ellipse(self, box: Box, colour: RGB) -> None:
        """A filled ellipse inside `box` (left, top, right, bottom)."""
        self._pen.ellipse(self.box(box), fill=colour)
        left, top, right, bottom = (v * LABEL_SIZE / SIZE for v in box)
        self._label_pen.ellipse((left, top, right, bottom), fill=self.label)

    def rect(self, box: Box, colour: RGB) -> None:
        """A filled rectangle."""
        left, top, right, bottom = box
        self.poly([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def line(self, points: Sequence[Point], colour: RGB, width: float) -> None:
        """A thick line; too thin for the label map."""
        self._pen.line(self._large(points), fill=colour, width=self._stroke(width), joint="curve")

    def arc(self, box: Box, start: float, end: float, colour: RGB, width: float) -> None:
        """Part of an ellipse's outline, in degrees."""
        self._pen.arc(self.box(box), start, end, fill=colour, width=self._stroke(width))

    def glow(self, centre: Point, radius: float, colour: RGB, strength: float) -> None:
        """A soft light around a point."""
        reach = round(radius * self.scale)
        corner = (round(centre[0] * self.scale) - reach, round(centre[1] * self.scale) - reach)
        self.image.paste(colour, (*corner, corner[0] + 2 * reach, corner[1] + 2 * reach), _glow_mask(reach, strength))

    def veil(self, colour: RGB, stops: tuple[tuple[float, float], ...]) -> None:
        """A translucent layer whose opacity changes with height."""
        self.image.paste(colour, (0, 0, *self.image.size), vertical_alpha(stops, self.size))

    def reflect(self, level: float, strength: float, left: float = 0, right: float = SIZE) -> None:
        """Mirror what stands above `level` into the water below it, fading downwards and to the sides."""
        level, left, right = (round(value * self.scale) for value in (level, left, right))
        left, right = max(0, left), min(self.size, right)
        height = min(self.size - level, level)
        mirrored = self.image.crop((left, level - height, right, level)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        fade = np.linspace(strength, strength * 0.25, height)[:, None]
        side = np.ones((1, right - left))
        if left > 0 or right < self.size:
            side = np.sin(np.linspace(0, np.pi, right - left))[None].clip(0, 0.5) * 2
        self.image.paste(mirrored, (left, level), Image.fromarray((fade * side * 255).astype(np.uint8)))


SKIES: dict[str, tuple[RGB, RGB, RGB]] = {
    "dawn": ((134, 152, 210), (238, 178, 200), (255, 224, 184)),
    "noon": ((58, 140, 222), (126, 192, 240), (214, 238, 250)),
    "sunset": ((84, 56, 130), (226, 92, 88), (255, 184, 84)),
    "night": ((12, 16, 50), (28, 38, 90), (64, 78, 136)),
}
PASTEL_SKIES: dict[str, tuple[RGB, RGB, RGB]] = {
    "dawn": ((236, 170, 190), (248, 204, 206), (255, 232, 210)),
    "noon": ((132, 202, 204), (184, 222, 212), (252, 236, 212)),
    "sunset": ((226, 120, 104), (246, 164, 120), (255, 214, 160)),
    "night": ((78, 70, 128), (130, 104, 156), (204, 154, 178)),
}
LAND_TINT: dict[str, tuple[RGB, float]] = {
    "dawn": ((236, 170, 180), 0.22),
    "noon": ((255, 255, 255), 0.0),
    "sunset": ((150, 60, 40), 0.36),
    "night": ((14, 20, 58), 0.62),
}
PASTEL = (250, 224, 206)


@dataclass(frozen=True)
class Light:
    """The colours of the air: sky, haze, and what they do to land and things."""

    sky: tuple[RGB, RGB, RGB]
    haze: RGB
    night: bool
    snowy: bool
    pastel: bool
    tint: RGB
    tint_amount: float

    def land(self, colour: RGB, *, distance: float = 0.0, snow: float = 0.85) -> RGB:
        """A ground colour under this light; `distance` (0 to 1) fades it into the haze."""
        if self.snowy:
            colour = mix(colour, (244, 248, 254), snow)
        colour = mix(colour, PASTEL, 0.34) if self.pastel else colour
        return mix(mix(colour, self.tint, self.tint_amount), self.haze, distance)

    def thing(self, colour: RGB) -> RGB:
        """A thing's colour: tinted much less than the land, so that a named colour stays that colour."""
        colour = mix(colour, PASTEL, 0.24) if self.pastel else colour
        return mix(colour, self.tint, self.tint_amount * (0.42 if self.night else 0.3))

    def snow_cap(self) -> RGB:
        """Fresh snow under this light."""
        return mix((250, 252, 255), self.tint, self.tint_amount * 0.4)

    def glass(self) -> RGB:
        """A window: lit at night, sky blue by day."""
        return (255, 220, 110) if self.night else self.thing((176, 214, 236))


def light_of(scene: Scene) -> Light:
    """The light that a scene's time, weather and style make together."""
    pastel = scene.style == "pastel"
    sky = (PASTEL_SKIES if pastel else SKIES)[scene.time]
    if scene.weather in ("rain", "snow", "fog"):
        level = {"dawn": 0.86, "noon": 0.95, "sunset": 0.72, "night": 0.28}[scene.time]
        grey: dict[str, RGB] = {"rain": (142, 152, 168), "snow": (216, 224, 236), "fog": (224, 228, 232)}
        amount = {"rain": 0.62, "snow": 0.5, "fog": 0.62}[scene.weather]
        veil = dim(grey[scene.weather], level)
        sky = (mix(sky[0], veil, amount), mix(sky[1], veil, amount), mix(sky[2], veil, amount * 0.8))
    tint, amount = LAND_TINT[scene.time]
    if scene.weather == "rain":
        tint, amount = mix(tint, (90, 98, 116), 0.5), max(amount, 0.28)
    return Light(sky, sky[2], scene.time == "night", scene.weather == "snow", pastel, tint, amount)
