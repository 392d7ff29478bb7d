"""What a demo scene is: its attributes, how they are drawn at random, and what is held out.

A scene is a handful of named attributes. Everything else in this folder is a function of it: the
picture (`drawing.py`), the caption (`captions.py`), the labels the judge learns (`judge.py`).
Rules that would only add noise are fixed here on purpose: a thing stands in the middle unless its
place is part of the caption, the sun and the moon keep their places, and colours that a filter would
hide are never named.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

TIMES = ("dawn", "noon", "sunset", "night")
WEATHERS = ("clear", "clouds", "rain", "snow", "fog")
TERRAINS = ("sea", "lake", "desert", "hills", "mountains", "forest", "field")
THINGS = (
    "none", "house", "boat", "lighthouse", "tree", "cactus", "castle", "balloon", "car", "town", "ghost town",
)  # fmt: skip
COLOURS = ("red", "yellow", "green", "blue", "purple", "pink", "white")
STYLES = ("plain", "pastel", "black and white", "vintage")
PLACES = ("middle", "left", "right")

COLOURED = frozenset({"house", "boat", "castle", "balloon", "car"})
"""Things that come in every named colour; the others keep their own."""
WIDE = frozenset({"castle", "town", "ghost town"})
"""Things too wide to stand at the side."""
MONOCHROME = frozenset({"black and white", "vintage"})
"""Styles that hide the colour of a thing."""
VARIANTS = 4
"""Number of silhouettes of hills, peaks and clouds: what a seed changes besides size."""

HELD_OUT: tuple[dict[str, str], ...] = (
    {"thing": "castle", "terrain": "desert"},
    {"thing": "boat", "colour": "blue", "time": "sunset"},
    {"thing": "boat", "colour": "yellow", "weather": "fog"},
    {"thing": "house", "colour": "purple", "weather": "snow"},
    {"thing": "house", "colour": "green", "terrain": "mountains"},
    {"thing": "balloon", "colour": "yellow", "time": "night"},
    {"thing": "balloon", "colour": "pink", "terrain": "desert"},
    {"thing": "car", "colour": "red", "terrain": "forest"},
    {"thing": "car", "colour": "white", "time": "sunset"},
    {"thing": "castle", "colour": "red", "time": "night"},
    {"thing": "lighthouse", "weather": "snow"},
    {"thing": "tree", "terrain": "sea"},
    {"thing": "cactus", "time": "night", "weather": "clear"},
    {"thing": "town", "terrain": "lake"},
    {"thing": "ghost town", "terrain": "forest"},
    {"thing": "ghost town", "style": "pastel", "time": "sunset"},
    {"thing": "none", "terrain": "lake", "style": "vintage"},
    {"thing": "none", "terrain": "mountains", "time": "dawn"},
)
"""Whole combinations that training never sees; half of the evaluation asks for them."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture. `colour` is "" for things without a choice of colour."""

    time: str
    weather: str
    terrain: str
    thing: str
    colour: str
    style: str
    place: str = "middle"
    variant: int = 0
    scale: float = 1.0
    """Size of the thing, about 0.92 to 1.08."""
    shift: float = 0.0
    """Horizontal offset of the thing in pixels of the 512 canvas, at most 10."""
    copies: tuple[float, ...] = ()
    """Centres (0 to 1) of several equal things. Only the judge's scenes have copies."""
    second_light: bool = False
    """A second sun or moon, again only for the judge."""


def is_held_out(scene: Scene) -> bool:
    """Whether the scene shows a combination that training must not see."""
    return any(all(getattr(scene, key) == value for key, value in rule.items()) for rule in HELD_OUT)


def is_possible(scene: Scene) -> bool:
    """Whether the drawing rules allow the scene at all."""
    if scene.thing == "boat" and scene.terrain not in ("sea", "lake"):
        return False
    if scene.style in MONOCHROME and scene.weather in ("rain", "fog"):
        return False  # without colour these differ too little from a plain grey sky
    return scene.place == "middle" or (scene.thing not in WIDE and scene.style != "pastel")


def _draw(rng: random.Random) -> Scene:
    """One scene from the raw distribution, possible or not."""
    thing = rng.choices(THINGS, weights=(13, 13, 12, 7, 7, 7, 9, 11, 11, 7, 9))[0]
    place = "middle"
    if thing != "none" and thing not in WIDE and rng.random() < 0.22:
        place = rng.choice(("left", "right"))
    return Scene(
        time=rng.choice(TIMES),
        weather=rng.choices(WEATHERS, weights=(38, 18, 14, 16, 14))[0],
        terrain=rng.choice(("sea", "lake")) if thing == "boat" else rng.choice(TERRAINS),
        thing=thing,
        colour=rng.choice(COLOURS) if thing in COLOURED else "",
        style=rng.choices(STYLES, weights=(64, 16, 10, 10))[0],
        place=place,
        variant=rng.randrange(VARIANTS),
        scale=rng.uniform(0.92, 1.08),
        shift=rng.uniform(-10, 10),
    )


def sample_scene(rng: random.Random, *, held_out: bool = False) -> Scene:
    """A random possible scene: from the training combinations, or only from the held-out ones."""
    while True:
        scene = _draw(rng)
        if is_possible(scene) and is_held_out(scene) == held_out:
            return scene


def _copies(rng: random.Random, thing: str) -> tuple[tuple[float, ...], float]:
    """Centres and a fitting scale for two or three of a thing."""
    count = rng.choice((2, 2, 3))
    reach = 0.62 if thing in WIDE else 0.5
    gap = rng.uniform(0.2, reach / (count - 1))
    first = 0.5 - gap * (count - 1) / 2 + rng.uniform(-0.06, 0.06)
    scale = rng.uniform(0.34, 0.6) if thing in WIDE else rng.uniform(0.5, 1.0)
    return tuple(first + gap * k for k in range(count)), scale


def sample_judge_scene(rng: random.Random) -> Scene:
    """A scene for the judge: every combination, and sometimes two or three things or two lights."""
    while True:
        scene = _draw(rng)
        if is_possible(scene):
            break
    if scene.thing != "none" and rng.random() < 0.3:
        copies, scale = _copies(rng, scene.thing)
        scene = replace(scene, place="middle", copies=copies, scale=scale)
    return replace(scene, second_light=rng.random() < 0.12)
