"""Draws a scene: sky, terrain, thing, weather and style, in that order.

`render` returns the finished picture, 256 x 256 unless a larger one is asked for, and a 16 x 16 map of what is where.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from demo.painting import (
    LABEL_SIZE,
    RGB,
    SIZE,
    Light,
    Painter,
    Point,
    dim,
    light_of,
    mix,
    vertical_alpha,
    vertical_ramp,
)
from demo.scenes import Scene
from demo.things import DRAW

IMAGE_SIZE = 256
LABEL_GRID = 16
HORIZON = 300
PLACE_X = {"middle": 0.5, "left": 0.27, "right": 0.73}
"""Where a thing stands, as a part of the width."""

SUN_AT: dict[str, Point] = {"dawn": (96, 236), "noon": (92, 92), "sunset": (410, 246)}
MOON_AT: Point = (404, 98)


def _ridge(height: float, swing: float, phase: float, waves: float) -> list[Point]:
    """A smooth line of hills from the left to the right edge, closed along the bottom."""
    xs = range(0, SIZE + 1, 16)
    line = [
        (
            x,
            height
            - swing * (math.sin(waves * x / SIZE * math.tau + phase) + 0.4 * math.sin(2.3 * waves * x / 81 + phase)),
        )
        for x in xs
    ]
    return [*line, (SIZE, SIZE), (0, SIZE)]


def _sky(p: Painter, scene: Scene, light: Light) -> None:
    top, middle, low = light.sky
    p.image.paste(vertical_ramp(((0.0, top), (0.34, middle), (0.62, low), (1.0, low)), p.size))
    if (light.night and scene.weather in ("clear", "clouds", "snow")) or (light.night and light.pastel):
        for x, y in ((40, 60), (104, 150), (150, 44), (206, 104), (262, 40), (318, 150), (330, 70),
                     (476, 190), (488, 44), (60, 224), (180, 206), (420, 214)):  # fmt: skip
            p.ellipse((x - 4, y - 4, x + 4, y + 4), (250, 246, 220))


def _disc(p: Painter, at: Point, radius: float, colour: RGB, halo: RGB, label: str) -> None:
    p.glow(at, radius * 3.4, halo, 0.75)
    p.use(label)
    p.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), colour)


def _crescent(p: Painter, at: Point, radius: float, light: Light) -> None:
    """A crescent moon: a disc with a bite of sky."""
    p.glow(at, radius * 3, mix(light.sky[1], (255, 250, 220), 0.5), 0.6)
    p.use("moon")
    box = (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
    bite = (box[0] - radius * 0.7, box[1] - radius * 0.25, box[2] - radius * 0.7, box[3] - radius * 0.25)
    mask = Image.new("L", p.image.size)
    pen = ImageDraw.Draw(mask)
    pen.ellipse(p.box(box), fill=255)
    pen.ellipse(p.box(bite), fill=0)
    p.image.paste((255, 246, 214), (0, 0, *mask.size), mask)
    p.labels.paste(p.label, (0, 0, LABEL_SIZE, LABEL_SIZE), mask.resize((LABEL_SIZE, LABEL_SIZE)).point(_threshold))


def _threshold(value: int) -> int:
    return 255 if value > 100 else 0


def _lights(p: Painter, scene: Scene, light: Light) -> None:
    """The sun or the moon: always at the same place for a time of day, hidden by rain and by fog at night."""
    if scene.weather == "rain" or (scene.weather == "fog" and light.night):
        return
    pale = scene.weather in ("snow", "fog")
    for second in (False, True) if scene.second_light else (False,):
        if light.night:
            at = (140, 130) if second else MOON_AT
            _crescent(p, at, 40, light)
            continue
        x, y = (256, 190) if light.pastel else SUN_AT[scene.time]
        at = ((x + 210) % 420 + 40, y + 20) if second else (x, y)
        warm: RGB = {"dawn": (255, 236, 196), "noon": (255, 226, 92), "sunset": (255, 214, 120)}[scene.time]
        if light.pastel:
            warm = mix(warm, (255, 246, 224), 0.6)
        colour = mix(warm, light.sky[2], 0.45 if pale else 0.0)
        radius = 92 if light.pastel else {"dawn": 44, "noon": 42, "sunset": 58}[scene.time]
        _disc(p, at, radius, colour, mix(warm, (255, 255, 255), 0.3), "sun")


def _cloud(p: Painter, x: float, y: float, s: float, colour: RGB, shadow: RGB) -> None:
    p.use("cloud")
    puffs = ((-58, 4, 30), (-22, -18, 42), (28, -12, 38), (62, 6, 26))
    for dx, dy, r in puffs:
        p.ellipse((x + (dx - r) * s, y + (dy + 10 - r) * s, x + (dx + r) * s, y + (dy + 10 + r) * s), shadow)
    for dx, dy, r in puffs:
        p.ellipse((x + (dx - r) * s, y + (dy - r) * s, x + (dx + r) * s, y + (dy + r * 0.86) * s), colour)


def _clouds(p: Painter, scene: Scene, light: Light) -> None:
    if scene.weather == "clouds":
        white = mix(light.land((255, 255, 255)), light.sky[2], 0.22 if not light.night else 0.1)
        shadow = mix(white, light.sky[0], 0.3)
        shift = (0, 22, -18, 34)[scene.variant]
        for x, y, s in ((240 + shift, 58, 1.05), (270 - shift, 178, 0.8), (70, 166, 0.6), (470, 180, 0.55)):
            _cloud(p, x, y, s, white, shadow)
    elif scene.weather == "rain":
        dark = mix(light.sky[0], (60, 66, 84), 0.45)
        for x, y, s in ((40, 18, 1.5), (196, 30, 1.6), (350, 16, 1.6), (492, 30, 1.5)):
            _cloud(p, x, y, s, dark, dim(dark, 0.84))


def _far_hills(p: Painter, scene: Scene, light: Light, colour: RGB = (98, 146, 110)) -> None:
    p.use("grass")
    far = light.land(colour, distance=0.5)
    p.poly(_ridge(HORIZON - 26, 14, scene.variant * 1.7, 1.0), far, light.land(colour, distance=0.3))


def _water(p: Painter, scene: Scene, light: Light, bottom: float = SIZE) -> None:
    """Water from the horizon down: a gradient, the mirrored sky, a path of light and a few bright ripples."""
    p.use("water")
    deep, near = light.land((36, 104, 166), snow=0.15), light.land((22, 72, 132), snow=0.15)
    p.poly([(0, HORIZON), (SIZE, HORIZON), (SIZE, bottom), (0, bottom)], mix(deep, light.sky[2], 0.4), near)
    p.reflect(HORIZON, 0.55)
    sparkle = mix(light.sky[2], (255, 255, 255), 0.45)
    for x, y, half in ((70, 330, 34), (300, 322, 26), (440, 346, 40), (170, 366, 44), (360, 392, 48), (60, 420, 44),
                       (460, 440, 44), (220, 462, 56)):  # fmt: skip
        p.line([(x - half, y), (x + half, y)], mix(sparkle, near, 0.35), 5)
    if scene.weather in ("clear", "clouds"):
        middle = MOON_AT[0] if light.night else 256 if light.pastel else SUN_AT[scene.time][0]
        for k in range(5):
            half = 20 + 8 * k
            ends = [(middle - half, 312 + 26 * k), (middle + half, 312 + 26 * k)]
            p.line(ends, mix(sparkle, (255, 240, 200), 0.5), 7)


def _bank(p: Painter, light: Light, colour: RGB, label: str, height: float) -> None:
    """A rounded near shore that things stand on."""
    p.use(label)
    top = light.land(colour)
    p.poly([(-40, SIZE), (-40, height + 22), (100, height + 4), (256, height - 4), (412, height + 4),
            (552, height + 22), (552, SIZE)], top, dim(top, 0.8))  # fmt: skip


def _sea(p: Painter, scene: Scene, light: Light) -> None:
    _water(p, scene, light)
    if scene.thing not in ("none", "boat", "balloon"):
        _bank(p, light, (238, 206, 150), "sand", 404)


def _lake(p: Painter, scene: Scene, light: Light) -> None:
    _far_hills(p, scene, light)
    p.use("pine")
    for x in range(-10, SIZE + 40, 36):
        _pine(p, x, HORIZON + 2, 0.42 + 0.1 * ((x // 36 + scene.variant) % 3), light, 0.2)
    _water(p, scene, light)
    _bank(p, light, (96, 164, 76), "grass", 440 if scene.thing in ("none", "boat", "balloon") else 398)


def _desert(p: Painter, scene: Scene, light: Light) -> None:
    p.use("peak")
    mesa = light.land((204, 112, 78), distance=0.25)
    offset = (0, 60, -50, 26)[scene.variant]
    for x, half, height in ((96 + offset, 74, 84), (412 + offset * 0.5, 56, 60)):
        p.poly([(x - half - 22, HORIZON + 10), (x - half, HORIZON - height), (x + half, HORIZON - height),
                (x + half + 22, HORIZON + 10)], mesa, dim(mesa, 0.86))  # fmt: skip
    p.use("sand")
    for height, swing, phase, tone in ((HORIZON, 8, 0.4, (246, 204, 134)), (352, 18, 2.2, (236, 184, 110)),
                                       (418, 16, 4.6, (224, 164, 90))):  # fmt: skip
        top = light.land(tone)
        p.poly(_ridge(height, swing, phase + scene.variant * 1.3, 0.8), top, mix(top, dim(top, 0.8), 0.8))


def _hills(p: Painter, scene: Scene, light: Light) -> None:
    p.use("grass")
    layers = ((262, 26, (132, 180, 130), 0.42), (306, 28, (112, 178, 96), 0.2), (352, 26, (94, 170, 72), 0.06),
              (414, 14, (76, 150, 58), 0.0))  # fmt: skip
    for k, (height, swing, tone, distance) in enumerate(layers):
        top = light.land(tone, distance=distance)
        p.poly(_ridge(height, swing, scene.variant * 1.6 + k * 2.1, 1.1 - 0.12 * k), top, dim(top, 0.82))


def _mountains(p: Painter, scene: Scene, light: Light) -> None:
    p.use("peak")
    swap = (0, 44, -40, 18)[scene.variant]
    for x, half, height, distance in ((256 + swap, 190, 212, 0.34), (66 + swap // 2, 170, 160, 0.16),
                                      (448 + swap // 2, 176, 176, 0.1)):  # fmt: skip
        lit = light.land((128, 126, 158), distance=distance, snow=0.35)
        shade = light.land((88, 90, 126), distance=distance, snow=0.35)
        snow = mix(light.snow_cap(), light.haze, distance * 0.5)
        foot, tip = HORIZON + 30, HORIZON + 30 - height
        p.poly([(x - half, foot), (x, tip), (x + half, foot)], lit)
        p.poly([(x, tip), (x + half, foot), (x + half * 0.16, foot)], shade)
        cap, edge = height * 0.34, half * 0.34
        p.poly([(x, tip), (x - edge, tip + cap), (x - edge * 0.4, tip + cap * 0.78), (x, tip + cap * 1.16),
                (x + edge * 0.5, tip + cap * 0.8), (x + edge, tip + cap)], snow)  # fmt: skip
    p.use("grass")
    for height, tone, phase in ((322, (96, 146, 90), 0.0), (384, (104, 166, 80), 2.4)):
        top = light.land(tone)
        p.poly(_ridge(height, 12, phase + scene.variant, 0.9), top, dim(top, 0.84))


def _pine(p: Painter, x: float, base: float, s: float, light: Light, distance: float) -> None:
    tone = light.land((34, 92, 74), distance=distance, snow=0.2)
    tip = light.land((34, 92, 74), distance=distance, snow=0.9 if light.snowy else 0.2)
    for low, half, high in ((0, 44, 92), (48, 35, 132), (92, 25, 172)):
        p.poly([(x - half * s, base - low * s), (x, base - high * s), (x + half * s, base - low * s)],
               mix(tone, tip, 0.55 if light.snowy and low else 0.0))  # fmt: skip


def _forest(p: Painter, scene: Scene, light: Light) -> None:
    p.use("grass")
    ground = light.land((110, 166, 84))
    p.poly([(0, HORIZON), (SIZE, HORIZON), (SIZE, SIZE), (0, SIZE)], ground, dim(ground, 0.74))
    p.use("pine")
    for x in range(-20, SIZE + 60, 52):
        _pine(p, x, HORIZON + 22, 0.92 + 0.12 * ((x // 52 + scene.variant) % 2), light, 0.42)
    for x in range(-40, SIZE + 80, 70):
        _pine(p, x, HORIZON + 58, 1.04 + 0.16 * ((x // 70 + scene.variant) % 3), light, 0.08)


def _field(p: Painter, scene: Scene, light: Light) -> None:
    """Golden rows that run to one vanishing point, below a low green hill."""
    _far_hills(p, scene, light, (92, 156, 84))
    p.use("crop")
    gold = light.land((240, 196, 76))
    p.poly([(0, HORIZON), (SIZE, HORIZON), (SIZE, SIZE), (0, SIZE)], gold, dim(gold, 0.9))
    furrow = light.land((196, 146, 48))
    for k in range(-7, 8, 2):
        p.poly([(256 + k * 16 - 3, HORIZON), (256 + k * 16 + 3, HORIZON), (256 + k * 94 + 24, SIZE),
                (256 + k * 94 - 24, SIZE)], furrow, dim(furrow, 0.92))  # fmt: skip


TERRAIN: dict[str, Callable[[Painter, Scene, Light], None]] = {
    "sea": _sea, "lake": _lake, "desert": _desert, "hills": _hills, "mountains": _mountains, "forest": _forest,
    "field": _field,
}  # fmt: skip


def _things(p: Painter, scene: Scene, light: Light) -> None:
    if scene.thing == "none":
        return
    base = 402 if scene.thing == "boat" and scene.terrain == "lake" else 428
    centres = scene.copies or (PLACE_X[scene.place],)
    scale = scene.scale * (0.94 if scene.place != "middle" else 1.0)
    for centre in centres:
        x = centre * SIZE + scene.shift
        DRAW[scene.thing](p, light, x, base, scale, scene.colour)
        if scene.thing == "boat":
            p.reflect(base, 0.5, x - 130 * scale, x + 130 * scale)


def _weather(p: Painter, scene: Scene, light: Light) -> None:
    """Falling rain and snow on a fixed pattern of few, large marks; fog as a veil with low banks."""
    if scene.weather == "rain":
        streak = mix(light.sky[2], (226, 236, 250), 0.55)
        for row in range(5):
            for column in range(5):
                x, y = 52 + column * 104 + (row % 2) * 50 - 26, 84 + row * 92
                p.line([(x + 10, y - 26), (x - 10, y + 26)], streak, 6)
    elif scene.weather == "snow":
        for row in range(6):
            for column in range(6):
                x, y = 44 + column * 86 + (row % 2) * 42 - 22, 46 + row * 84 + (column % 2) * 26
                r = 8 if (row + column) % 2 else 6
                p.ellipse((x - r, y - r, x + r, y + r), (252, 253, 255))
    elif scene.weather == "fog":
        p.veil(light.haze, ((0.0, 0.08), (0.5, 0.2), (0.62, 0.26), (0.8, 0.25), (1.0, 0.7)))


def _haze(p: Painter, scene: Scene, light: Light) -> None:
    """Air between the terrain and the thing: what makes fog hide the distance but not the subject."""
    if scene.weather == "fog":
        p.veil(light.haze, ((0.0, 0.2), (0.42, 0.45), (0.6, 0.55), (0.8, 0.3), (1.0, 0.25)))
    elif scene.weather != "rain":
        p.veil(light.haze, ((0.0, 0.0), (0.45, 0.0), (0.585, 0.22), (0.68, 0.0), (1.0, 0.0)))


def _black_and_white(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(image.convert("L"), cutoff=1).convert("RGB")


def _vintage(image: Image.Image) -> Image.Image:
    """A sepia print with soft corners and a cream border."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    sepia = ImageOps.colorize(grey, (52, 32, 22), (244, 222, 180), mid=(158, 116, 76))
    border, unit = Image.new("L", image.size), image.width // SIZE
    edge = 22 * unit
    ImageDraw.Draw(border).rounded_rectangle((edge, edge, image.width - edge, image.height - edge), 30 * unit, fill=255)
    return Image.composite(sepia, Image.new("RGB", image.size, (246, 236, 214)), border)


def _pastel(image: Image.Image) -> Image.Image:
    """A last wash of warm cream that lifts the shadows."""
    wash = Image.new("RGB", image.size, (252, 222, 206))
    return Image.composite(wash, image, vertical_alpha(((0.0, 0.12), (1.0, 0.16)), image.width))


def _mirror(p: Painter) -> None:
    """Make the right half the mirror image of the left: the pastel style is symmetric."""
    for canvas in (p.image, p.labels):
        half = canvas.width // 2
        left = canvas.crop((0, 0, half, canvas.height))
        canvas.paste(left.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (half, 0))


def render(scene: Scene, scale: int = 1) -> tuple[Image.Image, np.ndarray]:
    """The picture of a scene (`scale` times 256 a side) and its label map (16 x 16, indices into `painting.LABELS`)."""
    p, light = Painter(scale), light_of(scene)
    _sky(p, scene, light)
    if light.pastel and not light.night:
        _mirror(p)
    _lights(p, scene, light)
    _clouds(p, scene, light)
    TERRAIN[scene.terrain](p, scene, light)
    _haze(p, scene, light)
    if light.pastel and not light.night:
        _mirror(p)
    _things(p, scene, light)
    _weather(p, scene, light)
    filters = {"black and white": _black_and_white, "vintage": _vintage, "pastel": _pastel}
    image = filters[scene.style](p.image) if scene.style in filters else p.image
    labels = p.labels.resize((LABEL_GRID, LABEL_GRID), Image.Resampling.NEAREST)
    return image.reduce(SIZE // IMAGE_SIZE), np.asarray(labels, dtype=np.uint8)
