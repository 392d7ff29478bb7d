"""Captions for scenes: many wordings of the same few facts.

What a caption leaves out is as important as what it says. Only the usual values (clear sky, noon, plain
style) are left out often, so that a prompt which does not name them gets them; a rare value is nearly
always named. A place is always named when it is not the middle.
"""

from __future__ import annotations

import random

from demo.scenes import MONOCHROME, Scene

EMPTY_RATE = 0.1
"""Share of empty captions, which classifier-free guidance needs (Ho and Salimans 2022)."""

NOUNS: dict[str, tuple[str, ...]] = {
    "house": ("house", "house", "house", "cottage", "cabin", "little house", "small house", "home", "hut", "farmhouse"),
    "boat": ("boat", "boat", "sailboat", "sailing boat", "ship", "sailing ship", "yacht", "small boat", "fishing boat"),
    "lighthouse": ("lighthouse", "lighthouse", "tall lighthouse", "old lighthouse", "beacon", "striped lighthouse"),
    "tree": ("tree", "tree", "big tree", "lonely tree", "oak tree", "oak", "old tree", "apple tree", "single tree"),
    "cactus": ("cactus", "cactus", "big cactus", "tall cactus", "saguaro", "green cactus", "saguaro cactus"),
    "castle": ("castle", "castle", "fairy tale castle", "palace", "fortress", "old castle", "fairytale castle"),
    "balloon": ("hot air balloon", "hot-air balloon", "balloon", "air balloon", "hot air balloon", "flying balloon"),
    "car": ("car", "car", "automobile", "little car", "small car", "vehicle", "beetle car", "old car", "motor car"),
    "town": ("town", "town", "village", "little town", "row of houses", "small town", "row of colourful houses",
             "colorful village", "street of houses", "city"),
    "ghost town": ("ghost town", "ghost town", "ghost town", "abandoned town", "deserted town", "old western town",
                   "abandoned village", "wild west town", "empty western town"),
}  # fmt: skip
SHADES: dict[str, tuple[str, ...]] = {
    "red": ("red", "red", "red", "bright red", "crimson", "scarlet", "dark red"),
    "yellow": ("yellow", "yellow", "yellow", "bright yellow", "golden", "lemon yellow", "gold"),
    "green": ("green", "green", "green", "emerald", "dark green", "bright green", "emerald green"),
    "blue": ("blue", "blue", "blue", "bright blue", "navy", "dark blue", "azure", "cobalt blue"),
    "purple": ("purple", "purple", "purple", "violet", "lilac", "lavender", "bright purple"),
    "pink": ("pink", "pink", "pink", "bright pink", "rose", "hot pink", "light pink"),
    "white": ("white", "white", "white", "snow white", "bright white", "cream", "pure white"),
}
PLACED: dict[str, tuple[str, ...]] = {
    "sea": ("by the sea", "at the sea", "by the ocean", "on the beach", "on the coast", "at the seaside",
            "by the shore"),
    "lake": ("by a lake", "at the lake", "beside a lake", "by the lake", "near a lake", "on the lake shore",
             "by a pond"),
    "desert": ("in the desert", "in the desert", "in a desert", "among sand dunes", "in the sand", "in a sandy desert"),
    "hills": ("in the hills", "on the hills", "among green hills", "on a green hill", "in rolling hills", "on a hill"),
    "mountains": ("in the mountains", "in front of mountains", "below snowy peaks", "near the mountains",
                  "by the mountains", "with mountains behind", "in front of a mountain"),
    "forest": ("in the forest", "in a forest", "in the woods", "among pine trees", "in a pine forest",
               "at the edge of a forest"),
    "field": ("in a field", "in the field", "in a wheat field", "on a farm", "in golden fields", "in a golden field",
              "in the countryside"),
}  # fmt: skip
AFLOAT: dict[str, tuple[str, ...]] = {
    "sea": ("on the sea", "at sea", "on the ocean", "sailing on the sea", "in the sea", "on the open sea"),
    "lake": ("on a lake", "on the lake", "sailing on a lake", "in a lake", "on a calm lake", "on a pond"),
}
ALOFT: dict[str, tuple[str, ...]] = {
    "sea": ("over the sea", "above the sea", "over the ocean", "floating over the sea"),
    "lake": ("over a lake", "above a lake", "over the lake", "floating above a lake"),
    "desert": ("over the desert", "above the desert", "over sand dunes", "flying over the desert"),
    "hills": ("over the hills", "above green hills", "over rolling hills", "floating above the hills"),
    "mountains": ("over the mountains", "above the mountains", "flying over snowy peaks", "near the mountains"),
    "forest": ("over the forest", "above a forest", "over the woods", "floating over a pine forest"),
    "field": ("over a field", "above a wheat field", "over golden fields", "floating over the countryside"),
}
VIEWS: dict[str, tuple[str, ...]] = {
    "sea": ("the sea", "the ocean", "a seascape", "open sea", "the calm sea", "an ocean view", "a beach", "waves"),
    "lake": ("a lake", "the lake", "a calm lake", "a quiet lake", "a lake in the woods", "a pond"),
    "desert": ("a desert", "the desert", "a desert landscape", "sand dunes", "an empty desert", "a sandy desert"),
    "hills": ("hills", "rolling hills", "green hills", "a hilly landscape", "a green valley", "a meadow"),
    "mountains": ("mountains", "a mountain landscape", "snowy peaks", "high mountains", "a mountain", "the alps"),
    "forest": ("a forest", "the forest", "a pine forest", "the woods", "pine trees", "a dark forest"),
    "field": ("a field", "a wheat field", "golden fields", "a farm field", "a field of wheat", "the countryside"),
}
TIME: dict[str, tuple[str, ...]] = {
    "dawn": ("at dawn", "at sunrise", "in the early morning", "at daybreak", "in the morning", "dawn", "sunrise"),
    "noon": ("at noon", "at midday", "during the day", "in daylight", "in the afternoon", "by day", "noon"),
    "sunset": ("at sunset", "at dusk", "in the evening", "at twilight", "under an orange sky", "sunset", "golden hour"),
    "night": ("at night", "at midnight", "in the dark", "by night", "under the stars", "night", "late at night"),
}
MOONLIGHT = ("under the moon", "in the moonlight", "under a starry sky", "with a crescent moon", "on a moonlit night")
SUNSHINE = ("on a sunny day", "in the sun", "under a blue sky", "in bright sunshine", "on a summer day", "sunny")
WEATHER: dict[str, tuple[str, ...]] = {
    "clear": ("under a clear sky", "clear sky", "in clear weather", "on a clear day", "with no clouds", "cloudless"),
    "clouds": ("with clouds", "under a cloudy sky", "with white clouds", "cloudy", "with fluffy clouds", "clouds"),
    "rain": ("in the rain", "in rainy weather", "while it rains", "on a rainy day", "raining", "rain", "in a storm",
             "in a rainstorm"),
    "snow": ("in the snow", "in winter", "while it snows", "covered in snow", "snowing", "snow", "in falling snow",
             "on a snowy day"),
    "fog": ("in the fog", "in fog", "in the mist", "on a foggy day", "foggy", "misty", "in thick fog",
            "surrounded by mist"),
}  # fmt: skip
BEFORE: dict[str, tuple[str, ...]] = {
    "rain": ("rainy", "stormy"),
    "snow": ("snowy", "snow-covered", "wintry"),
    "fog": ("foggy", "misty"),
    "clouds": ("cloudy",),
}
"""Weather as an adjective of a landscape."""
STYLE: dict[str, tuple[str, ...]] = {
    "plain": ("illustration", "picture book", "flat illustration", "children's book illustration", "digital art"),
    "pastel": ("in the style of a wes anderson movie", "wes anderson style", "in pastel colours", "in pastel colors",
               "pastel", "pastel style", "like a wes anderson film", "wes anderson", "in soft pastel tones",
               "in the style of wes anderson", "symmetrical wes anderson shot"),
    "black and white": ("in black and white", "black and white", "monochrome", "in grayscale",
                        "a black and white photo",
                        "black-and-white photograph", "in greyscale", "film noir"),
    "vintage": ("vintage", "old photograph", "sepia", "as an old photo", "in vintage style", "vintage photo",
                "like an antique postcard", "in sepia tones", "retro photo"),
}  # fmt: skip
OF_STYLE: dict[str, tuple[str, ...]] = {
    "plain": ("an illustration of", "a picture of", "a drawing of", "a painting of", "a photo of", "an image of"),
    "pastel": ("a pastel picture of", "a wes anderson shot of", "a pastel drawing of", "a pastel painting of"),
    "black and white": ("a black and white photo of", "a black and white picture of", "a monochrome picture of",
                        "a black and white drawing of"),
    "vintage": ("an old photograph of", "a vintage photo of", "a sepia picture of", "a vintage postcard of"),
}  # fmt: skip
SIDE: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side", "at the left", "to the left", "on the left hand side"),
    "right": ("on the right", "on the right side", "at the right", "to the right", "on the right hand side"),
    "middle": ("in the middle", "in the center", "in the centre", "centered"),
}
QUALITY = (
    "beautiful", "detailed", "highly detailed", "4k", "masterpiece", "best quality", "cinematic", "charming",
    "award winning", "8k", "high quality", "sharp", "lovely", "stunning", "trending on artstation", "peaceful", "cute",
)  # fmt: skip
FILLERS = (
    "a", "very", "with", "one", "some", "nice", "story", "art", "dream", "wonderful", "quiet", "happy", "simple",
    "please draw", "i want", "show me", "create", "make", "there is", "we see", "view", "scene", "landscape", "lone",
    "magic", "fantasy", "epic", "soft", "light", "ultra", "realistic", "studio", "wide angle", "volumetric", "concept",
    "cozy", "serene", "dramatic", "render", "octane", "portrait", "fine", "gentle", "mood", "tiny", "huge", "far away",
    "once upon a time", "holiday", "memory", "travel", "poster", "postcard", "song", "bird", "people", "dog", "cat",
    "river", "road", "flowers", "wind", "summer", "spring", "autumn", "world", "earth", "time", "day", "place", "life",
    "elegant", "minimal", "modern", "classic", "colorful", "vivid", "bright", "style", "texture", "perfect", "famous",
)  # fmt: skip


def article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _terrain_phrase(rng: random.Random, scene: Scene) -> str:
    if scene.thing == "boat":
        return rng.choice(AFLOAT[scene.terrain])
    if scene.thing == "balloon" and rng.random() < 0.7:
        return rng.choice(ALOFT[scene.terrain])
    phrase = rng.choice(PLACED[scene.terrain])
    if scene.weather in BEFORE and rng.random() < 0.12:
        noun = rng.choice(VIEWS[scene.terrain]).split(" ", 1)[-1]
        return (
            f"in the {rng.choice(BEFORE[scene.weather])} {noun}" if scene.thing not in ("boat", "balloon") else phrase
        )
    return phrase


def _subject(rng: random.Random, scene: Scene, terse: bool) -> str:
    """The thing with its colour, or the landscape itself when there is no thing."""
    if scene.thing == "none":
        view = rng.choice(VIEWS[scene.terrain])
        if scene.weather in BEFORE and rng.random() < 0.35:
            head, _, tail = view.rpartition(" ") if not view.startswith(("a ", "an ", "the ")) else view.partition(" ")
            adjective = rng.choice(BEFORE[scene.weather])
            lead = "a" if head in ("a", "an") else head
            return f"{lead} {adjective} {tail}".strip()
        return view
    noun = rng.choice(NOUNS[scene.thing])
    named = scene.colour and scene.style not in MONOCHROME and rng.random() < 0.8
    if named:
        noun = f"{rng.choice(SHADES[scene.colour])} {noun}"
    if scene.weather == "snow" and rng.random() < 0.08:
        noun = f"{rng.choice(('snowy', 'snow-covered'))} {noun}"
    return noun if terse and rng.random() < 0.6 else article(noun)


def _time_phrase(rng: random.Random, scene: Scene) -> str | None:
    if scene.time == "noon":
        if scene.weather == "clear" and scene.style not in MONOCHROME and rng.random() < 0.25:
            return rng.choice(SUNSHINE)
        return rng.choice(TIME["noon"]) if rng.random() < 0.5 else None
    if scene.time == "night" and scene.weather in ("clear", "clouds", "snow") and rng.random() < 0.2:
        return rng.choice(MOONLIGHT)
    return rng.choice(TIME[scene.time]) if rng.random() < 0.97 else None


def _tail(rng: random.Random, scene: Scene) -> list[str]:
    """Terrain, weather and time phrases in a random order, each left out at its own rate."""
    parts = []
    if scene.thing != "none" and rng.random() < (0.93 if scene.terrain != "hills" else 0.75):
        parts.append(_terrain_phrase(rng, scene))
    said = rng.random() < (0.25 if scene.weather == "clear" else 0.97)
    if said:
        parts.append(rng.choice(WEATHER[scene.weather]))
    time = _time_phrase(rng, scene)
    if time:
        parts.append(time)
    if rng.random() < 0.4:
        rng.shuffle(parts)
    return parts


def _style_phrase(rng: random.Random, scene: Scene) -> str | None:
    if scene.style == "plain":
        return rng.choice(STYLE["plain"]) if rng.random() < 0.08 else None
    return rng.choice(STYLE[scene.style]) if rng.random() < 0.98 else None


def _noise(rng: random.Random, words: list[str]) -> list[str]:
    """Add words that say nothing about the picture, so that the model learns to ignore them."""
    if rng.random() < 0.2:
        extra = rng.sample(QUALITY, rng.randint(1, 4))
        return [*extra, *words] if rng.random() < 0.25 else [*words, *extra]
    if rng.random() < 0.18:
        words = list(words)
        words.insert(rng.randint(0, len(words)), rng.choice(FILLERS) if rng.random() < 0.7 else _made_up_word(rng))
    return words


def _made_up_word(rng: random.Random) -> str:
    """A pronounceable word without meaning: stands for all the words captions never use."""
    syllables = (rng.choice("bcdfghjklmnprstvwxyz") + rng.choice("aeiou") for _ in range(rng.randint(1, 3)))
    return "".join(syllables) + rng.choice(("", "n", "r", "s", "t", "ng", "d"))


def caption(rng: random.Random, scene: Scene) -> str:
    """One caption of the scene; every call may word it differently."""
    if rng.random() < EMPTY_RATE:
        return ""
    return describe(rng, scene)


def describe(rng: random.Random, scene: Scene) -> str:
    """A caption that is never empty: a sentence, or tags between commas."""
    tags = rng.random() < 0.3
    subject, tail, style = _subject(rng, scene, terse=tags), _tail(rng, scene), _style_phrase(rng, scene)
    if scene.place != "middle" or rng.random() < 0.03:
        side = rng.choice(SIDE[scene.place]) if scene.thing != "none" else ""
        subject = f"{subject} {side}".strip() if rng.random() < 0.8 else subject
        if side and side not in subject:
            tail.append(side)
    if style and not tags and rng.random() < 0.4:
        words, style = [f"{rng.choice(OF_STYLE[scene.style])} {subject}", *tail], None
    else:
        words = [subject, *tail]
    if style and rng.random() < 0.12:
        words, style = [style, *words], None
    if tags:
        words = [*words, style] if style else words
        if rng.random() < 0.3:
            rng.shuffle(words)
        return ", ".join(_noise(rng, words))
    comma = "," if rng.random() < 0.3 else ""
    return " ".join(_noise(rng, words)) + (f"{comma} {style}" if style else "")


def full_prompt(rng: random.Random, scene: Scene) -> str:
    """A long prompt that names every attribute, in random wordings and order, with words of quality."""
    subject = rng.choice(VIEWS[scene.terrain])
    parts = []
    if scene.thing != "none":
        noun = rng.choice(NOUNS[scene.thing])
        shown = scene.colour and scene.style not in MONOCHROME
        subject = article(f"{rng.choice(SHADES[scene.colour])} {noun}" if shown else noun)
        places = AFLOAT if scene.thing == "boat" else ALOFT if scene.thing == "balloon" else PLACED
        parts.append(rng.choice(places[scene.terrain]))
    if scene.place != "middle":
        subject += f" {rng.choice(SIDE[scene.place])}"
    parts += [rng.choice(WEATHER[scene.weather]), rng.choice(TIME[scene.time])]
    rng.shuffle(parts)
    if scene.style != "plain":
        parts.append(rng.choice(STYLE[scene.style]))
    if rng.random() < 0.6:
        parts += rng.sample(QUALITY, 2)
    return (", " if rng.random() < 0.5 else " ").join([subject, *parts])


def plain_prompt(scene: Scene) -> str:
    """The shortest full description, in the words a visitor would try first."""
    words = VIEWS[scene.terrain][0]
    if scene.thing != "none":
        noun = NOUNS[scene.thing][0]
        places = AFLOAT if scene.thing == "boat" else ALOFT if scene.thing == "balloon" else PLACED
        coloured = scene.colour and scene.style not in MONOCHROME
        words = f"{article(f'{scene.colour} {noun}' if coloured else noun)} {places[scene.terrain][0]}"
    if scene.place != "middle":
        words += f" {SIDE[scene.place][0]}"
    words += f" {TIME[scene.time][0]}"
    if scene.weather != "clear":
        words += f" {WEATHER[scene.weather][0]}"
    return words if scene.style == "plain" else f"{words}, {STYLE[scene.style][0]}"
