"""How each thing is drawn: one function per thing, standing at (x, base) with size `s` (1 = normal)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from demo.painting import RGB, Light, Painter, Point, dim, mix

PAINT: dict[str, RGB] = {
    "red": (214, 48, 44),
    "yellow": (246, 200, 40),
    "green": (54, 152, 72),
    "blue": (44, 98, 206),
    "purple": (134, 66, 184),
    "pink": (246, 130, 178),
    "white": (248, 246, 240),
}
ROOF: RGB = (92, 62, 66)
WOOD: RGB = (112, 74, 52)


def _window(p: Painter, light: Light, x: float, y: float, half: float) -> None:
    """A square window with a cross bar and, at night, a glow."""
    if light.night:
        p.glow((x, y), half * 3.2, (255, 206, 96), 0.75)
    p.rect((x - half, y - half, x + half, y + half), light.glass())
    frame = light.thing((250, 246, 236))
    p.line([(x, y - half), (x, y + half)], frame, 4)
    p.line([(x - half, y), (x + half, y)], frame, 4)


def _shadow(p: Painter, x: float, base: float, half: float, light: Light) -> None:
    """A soft dark patch that sets a thing on the ground."""
    p.glow((x, base), half * 1.1, dim(light.land((70, 80, 70)), 0.5), 0.4)


def house(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A cottage: coloured walls, a brown gable roof, a chimney, a door and two windows."""
    wall = light.thing(PAINT[colour])
    _shadow(p, x, base, 110 * s, light)
    p.use("house")
    p.rect((x + 44 * s, base - 176 * s, x + 66 * s, base - 100 * s), light.thing((150, 84, 70)))
    p.poly([(x - 84 * s, base), (x - 84 * s, base - 96 * s), (x + 84 * s, base - 96 * s), (x + 84 * s, base)],
           wall, dim(wall, 0.86))  # fmt: skip
    roof = light.snow_cap() if light.snowy else light.thing(ROOF)
    p.poly([(x - 104 * s, base - 90 * s), (x, base - 182 * s), (x + 104 * s, base - 90 * s)], roof)
    p.rect((x - 19 * s, base - 66 * s, x + 19 * s, base), light.thing(WOOD))
    for side in (-1, 1):
        _window(p, light, x + side * 52 * s, base - 52 * s, 18 * s)


def boat(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A sailing boat: coloured hull, two cream sails."""
    hull, sail = light.thing(PAINT[colour]), light.thing((252, 246, 230))
    p.use("boat")
    p.line([(x, base - 30 * s), (x, base - 204 * s)], light.thing(WOOD), 7 * s)
    p.poly([(x + 8 * s, base - 198 * s), (x + 8 * s, base - 56 * s), (x + 92 * s, base - 56 * s)], sail)
    p.poly([(x - 8 * s, base - 176 * s), (x - 8 * s, base - 56 * s), (x - 70 * s, base - 56 * s)], dim(sail, 0.88))
    p.poly([(x - 108 * s, base - 46 * s), (x + 112 * s, base - 46 * s), (x + 76 * s, base), (x - 72 * s, base)],
           hull, dim(hull, 0.8))  # fmt: skip
    p.line([(x - 106 * s, base - 44 * s), (x + 110 * s, base - 44 * s)], light.thing((250, 240, 220)), 8 * s)
    if light.night:
        p.glow((x - 40 * s, base - 60 * s), 34 * s, (255, 214, 120), 0.9)


def lighthouse(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A tapering white tower with red bands; its lamp and beams shine at night."""
    top = base - 214 * s
    if light.night:
        for side in (-1, 1):
            p.label = 0
            beam = mix(light.sky[1], (255, 236, 160), 0.5)
            p.poly([(x, top - 18 * s), (x + side * 210, top - 56 * s), (x + side * 210, top + 26 * s)], beam)
        p.glow((x, top - 18 * s), 80 * s, (255, 232, 150), 0.9)
    _shadow(p, x, base, 70 * s, light)
    p.use("lighthouse")
    white, red = light.thing((250, 246, 238)), light.thing((206, 46, 44))
    half_base, half_top, bands = 40 * s, 25 * s, 5
    for band in range(bands):
        low, high = band / bands, (band + 1) / bands
        a, b = (half_base + (half_top - half_base) * t for t in (low, high))
        y0, y1 = base + (top - base) * low, base + (top - base) * high
        p.poly([(x - a, y0), (x + a, y0), (x + b, y1), (x - b, y1)], white if band % 2 else red)
    p.rect((x - 34 * s, top - 6 * s, x + 34 * s, top + 4 * s), light.thing((66, 62, 74)))
    p.rect((x - 18 * s, top - 36 * s, x + 18 * s, top - 6 * s), (255, 236, 150) if light.night else light.glass())
    p.poly([(x - 26 * s, top - 34 * s), (x, top - 64 * s), (x + 26 * s, top - 34 * s)], red)


def tree(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A broad leafy tree with a lit crown."""
    leaf = light.thing((92, 178, 62))
    _shadow(p, x, base, 90 * s, light)
    p.use("tree")
    p.poly([(x - 20 * s, base), (x - 11 * s, base - 110 * s), (x + 11 * s, base - 110 * s), (x + 20 * s, base)],
           light.thing(WOOD))  # fmt: skip
    for dx, dy, r, shade in ((-50, 116, 52, 0.8), (50, 116, 52, 0.74), (0, 150, 74, 0.92), (-20, 172, 46, 1.12)):
        tone = mix(dim(leaf, shade), light.snow_cap(), 0.9 if light.snowy and shade > 1 else 0.0)
        p.ellipse((x + (dx - r) * s, base - (dy + r) * s, x + (dx + r) * s, base - (dy - r) * s), tone)


def cactus(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A saguaro with two arms and a pink flower."""
    green = light.thing((40, 140, 84))
    _shadow(p, x, base, 64 * s, light)
    p.use("cactus")

    def limb(points: list[Point], width: float) -> None:
        path = [(x + a * s, base - b * s) for a, b in points]
        for (x0, y0), (x1, y1) in pairwise(path):
            p.rect((min(x0, x1) - width, min(y0, y1), max(x0, x1) + width, max(y0, y1)) if x0 == x1
                   else (min(x0, x1), y0 - width, max(x0, x1), y0 + width), green)  # fmt: skip
        for px, py in path:
            p.ellipse((px - width, py - width, px + width, py + width), green)

    limb([(0, 8), (0, 180)], 27 * s)
    limb([(0, 70), (-64, 70), (-64, 128)], 16 * s)
    limb([(0, 92), (64, 92), (64, 154)], 16 * s)
    for dx in (-10, 10):
        p.line([(x + dx * s, base - 12 * s), (x + dx * s, base - 178 * s)], dim(green, 0.76), 4 * s)
    top = light.snow_cap() if light.snowy else light.thing((248, 120, 160))
    p.ellipse((x - 15 * s, base - 222 * s, x + 15 * s, base - 196 * s), top)


def castle(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A fairy-tale castle: pale walls and full-coloured cone roofs."""
    roof = light.thing(PAINT[colour])
    stone = light.thing(mix(PAINT[colour], (236, 232, 228), 0.66 if colour != "white" else 0.3))
    dark = dim(stone, 0.84)
    _shadow(p, x, base, 150 * s, light)
    p.use("castle")
    p.poly([(x - 44 * s, base), (x - 44 * s, base - 176 * s), (x + 44 * s, base - 176 * s), (x + 44 * s, base)],
           dark)  # fmt: skip
    p.poly([(x - 58 * s, base - 174 * s), (x, base - 262 * s), (x + 58 * s, base - 174 * s)], roof)
    p.rect((x - 110 * s, base - 92 * s, x + 110 * s, base), stone)
    for k in range(-3, 4):
        p.rect((x + (k * 30 - 9) * s, base - 108 * s, x + (k * 30 + 9) * s, base - 90 * s), stone)
    for side in (-1, 1):
        tower = x + side * 112 * s
        p.rect((tower - 30 * s, base - 150 * s, tower + 30 * s, base), mix(stone, dark, 0.4))
        p.poly([(tower - 42 * s, base - 148 * s), (tower, base - 226 * s), (tower + 42 * s, base - 148 * s)], roof)
        _window(p, light, tower, base - 108 * s, 11 * s)
    _window(p, light, x, base - 142 * s, 13 * s)
    gate = light.thing((84, 56, 48))
    p.ellipse((x - 28 * s, base - 74 * s, x + 28 * s, base - 18 * s), gate)
    p.rect((x - 28 * s, base - 46 * s, x + 28 * s, base), gate)


def balloon(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A hot-air balloon, striped in its colour and cream; `base` is the ground under it."""
    y, r = base - 262 * s, 84 * s
    main = light.thing(PAINT[colour])
    stripe = light.thing((214, 206, 196) if colour == "white" else (255, 244, 220))
    p.use("balloon")
    if light.night:
        p.glow((x, y), r * 1.8, (255, 200, 110), 0.4)
    basket = y + r * 1.62
    for side in (-1, 1):
        p.line([(x + side * 34 * s, y + r * 0.95), (x + side * 16 * s, basket)], light.thing(WOOD), 4)
    p.poly([(x - r * 0.9, y + r * 0.4), (x + r * 0.9, y + r * 0.4), (x + 26 * s, y + r * 1.26),
            (x - 26 * s, y + r * 1.26)], main)  # fmt: skip
    p.ellipse((x - r, y - r, x + r, y + r), main)
    p.poly([(x - r * 0.34, y + r * 0.5), (x + r * 0.34, y + r * 0.5), (x + 10 * s, y + r * 1.26),
            (x - 10 * s, y + r * 1.26)], stripe)  # fmt: skip
    p.ellipse((x - r * 0.4, y - r, x + r * 0.4, y + r), stripe)
    p.ellipse((x - r * 0.14, y - r, x + r * 0.14, y + r), main)
    p.rect((x - 20 * s, basket, x + 20 * s, basket + 30 * s), light.thing((150, 98, 56)))


def car(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A round little car seen from the side."""
    paint = light.thing(PAINT[colour])
    _shadow(p, x, base, 120 * s, light)
    p.use("car")
    if light.night:
        p.glow((x + 118 * s, base - 42 * s), 62 * s, (255, 230, 150), 0.9)
    p.ellipse((x - 74 * s, base - 134 * s, x + 62 * s, base - 20 * s), paint)
    p.ellipse((x - 60 * s, base - 120 * s, x + 48 * s, base - 30 * s), light.glass())
    p.rect((x - 10 * s, base - 130 * s, x - 1 * s, base - 60 * s), paint)
    p.ellipse((x - 118 * s, base - 80 * s, x + 2 * s, base + 6 * s), paint)
    p.ellipse((x - 2 * s, base - 80 * s, x + 118 * s, base + 6 * s), paint)
    p.poly([(x - 100 * s, base - 72 * s), (x + 100 * s, base - 72 * s), (x + 116 * s, base - 14 * s),
            (x - 116 * s, base - 14 * s)], paint, dim(paint, 0.82))  # fmt: skip
    p.ellipse((x + 98 * s, base - 54 * s, x + 118 * s, base - 32 * s), (255, 240, 176))
    for side in (-1, 1):
        wheel = x + side * 62 * s
        p.ellipse((wheel - 28 * s, base - 34 * s, wheel + 28 * s, base + 22 * s), (40, 38, 46))
        p.ellipse((wheel - 12 * s, base - 18 * s, wheel + 12 * s, base + 6 * s), (206, 204, 208))


def town(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """A row of five bright gabled houses."""
    row = ((-152, 118, (240, 150, 110)), (152, 118, (240, 150, 110)), (-80, 158, (120, 180, 210)),
           (80, 158, (250, 214, 120)), (0, 190, (226, 108, 100)))  # fmt: skip
    _shadow(p, x, base, 190 * s, light)
    p.use("town")
    for dx, height, paint in row:
        cx, wall = x + dx * s, light.thing(paint)
        p.rect((cx - 40 * s, base - height * s, cx + 40 * s, base), wall)
        roof = light.snow_cap() if light.snowy else light.thing((130, 64, 60))
        p.poly([(cx - 48 * s, base - height * s), (cx, base - (height + 54) * s), (cx + 48 * s, base - height * s)],
               roof)  # fmt: skip
        _window(p, light, cx, base - (height - 36) * s, 14 * s)
        p.rect((cx - 13 * s, base - 44 * s, cx + 13 * s, base), light.thing(WOOD))


def ghost_town(p: Painter, light: Light, x: float, base: float, s: float, colour: str) -> None:
    """Abandoned western fronts, dark boarded windows, a tumbleweed; symmetric, and faded pink in pastel."""
    plank, trim = ((226, 158, 150), (250, 226, 190)) if light.pastel else ((142, 118, 98), (106, 86, 74))
    side_plank = (164, 200, 186) if light.pastel else (124, 106, 94)
    _shadow(p, x, base, 190 * s, light)
    p.use("ghost town")
    hollow = light.thing((52, 42, 50))
    for dx, height, half, paint in ((-136, 112, 62, side_plank), (136, 112, 62, side_plank), (0, 150, 78, plank)):
        cx, wall, ledge = x + dx * s, light.thing(paint), light.thing(trim)
        p.rect((cx - half * s, base - height * s, cx + half * s, base), wall)
        p.rect((cx - half * 0.62 * s, base - (height + 34) * s, cx + half * 0.62 * s, base - height * s), wall)
        p.rect((cx - half * 0.7 * s, base - (height + 42) * s, cx + half * 0.7 * s, base - (height + 30) * s), ledge)
        p.rect((cx - (half + 4) * s, base - (height + 4) * s, cx + (half + 4) * s, base - (height - 8) * s), ledge)
        p.rect((cx - 17 * s, base - 58 * s, cx + 17 * s, base), hollow)
        for side in (-1, 1):
            wx, wy, r = cx + side * half * 0.56 * s, base - (height - 34) * s, 14 * s
            p.rect((wx - r, wy - r, wx + r, wy + r), hollow)
            p.line([(wx - r, wy - r), (wx + r, wy + r)], ledge, 5)
    weed = light.thing((176, 130, 70))
    p.ellipse((x + 58 * s, base - 2 * s, x + 98 * s, base + 38 * s), weed)
    p.arc((x + 66 * s, base + 6 * s, x + 90 * s, base + 30 * s), 0, 290, dim(weed, 0.6), 5)


DRAW: dict[str, Callable[[Painter, Light, float, float, float, str], None]] = {
    "house": house, "boat": boat, "lighthouse": lighthouse, "tree": tree, "cactus": cactus, "castle": castle,
    "balloon": balloon, "car": car, "town": town, "ghost town": ghost_town,
}  # fmt: skip
