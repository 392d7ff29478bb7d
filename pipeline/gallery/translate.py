"""From the words of A1111 and its relatives to the fields of a request, with a sentence for what has no counterpart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.gallery.infotext import Infotext
from pipeline.gallery.metadata import HOSTED_SAMPLER, SAMPLERS, SCHEDULES
from pipeline.request import MAX_LORAS, MAX_PROMPT_CHARACTERS

_SAME = {
    "steps": "num_inference_steps",
    "seed": "seed",
    "variation seed": "variation_seed",
    "variation seed strength": "variation_strength",
}
"""Settings whose value goes into a field as it stands."""

_READ = {
    *_SAME,
    *("cfg scale", "guidance scale", "distilled cfg scale", "size", "model", "vae", "sampler", "schedule type"),
    "scheduler",
}

_OTHER_NAMES = {
    "dpm_2": "dpm2",
    "dpm_2_ancestral": "dpm2 a",
    "dpmpp_2m": "dpm++ 2m",
    "dpmpp_sde": "dpm++ sde",
    "euler ancestral": "euler a",
    "euler_ancestral": "euler a",
    "euler flowmatch": "euler",
    "heun flowmatch": "heun",
    "uni_pc": "unipc",
}
"""What some programs call the sampling methods of `SAMPLERS`."""

_WITHOUT_EFFECT = re.compile(
    r"version|app|user|provider|backend( engine)?|parser|pipeline|operations|performance|batch (size|pos)|"
    r"(raw |full )?(negative )?prompt|styles|template|negative template|model hash|vae hash|refiner hash|lora.*|"
    r"civitai (resources|metadata)|hashes|rng|module \d+|diffusion in low bits|emphasis|created by|metadata scheme",
    re.IGNORECASE,
)
"""Settings that say nothing that a request could take up: who wrote it, what is named elsewhere in the text."""

_IDLE = frozenset({"", "none", "automatic", "false", "0", "0.0", "disable", "disabled", "default", "0x0", "-1x-1"})
"""Values with which any setting does nothing."""
_OF_NOBODY = frozenset({("sampler", HOSTED_SAMPLER), ("steps", "0")})
_IDLE_PAIRS = frozenset({("clip skip", "1"), ("clip skip", "1.0"), ("eta", "1.0"), ("eta", "1")})

_LOST = (
    (r"hires.*|hires? .*|firstpass.*", "Only the first pass is restored; the picture was then enlarged ({})."),
    (
        r"denoising strength|init image.*|resize (mode|scale)|mask.*|inpaint.*|image cfg scale|noise multiplier|refine",
        "It was made from another picture, which is not restored ({}).",
    ),
    (r"controlnet.*|control .*|ip-?adapter.*|t2i.*", "It was guided by another picture, which is not restored ({})."),
    (r"adetailer.*|face (restoration|editor).*|.*detailer.*", "Faces or parts of it were drawn again afterwards ({})."),
    (r"refiner.*", "A second model finished it, which is not done here ({})."),
    (r"ti( hashes)?|used embeddings|hypernet.*", "These have no counterpart here, their names count as words ({})."),
    (r"clip skip", "The text encoders are always read as the model's makers meant it, so this is left out ({})."),
    (
        r"eta.*|ensd|ngms|sigma.*|s?_?(churn|noise|tmin|tmax)|discard penultimate.*|sampler .*|seed resize.*|"
        r"pad conds|always discard.*|uni_?pc.*|sgm noise.*",
        "These fine points of sampling stay as the model has them ({}).",
    ),
)
"""What kinds of settings mean that have no counterpart; the first whose pattern fits counts."""

_TAG = re.compile(r"<(lora|lyco|hypernet):([^<>]{1,300})>", re.IGNORECASE)
_SYNTAX = re.compile(r"\[[^\[\]\n]{0,200}:[^\[\]\n]{0,200}\]|\bBREAK\b|\bAND\b")
_SIZE = re.compile(r"\(?\s*(\d{1,6})\s*[x×,]\s*(\d{1,6})\s*\)?")


@dataclass(slots=True)
class Translation:
    """What a text says, in the studio's words. The fields are not validated yet."""

    fields: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    model_name: str = ""
    schedulers: tuple[str, ...] = ()
    is_ours: bool = False
    """Whether the text is Darkroom's own."""


def translate(text: Infotext) -> Translation:
    """Everything in the text that a request can take up, and a sentence for everything else."""
    settings = {key.lower(): value for key, value in text.settings.items()}
    if settings.get("sampler") == HOSTED_SAMPLER:  # no method, and beside it steps may be 0, which is not known
        settings = {key: value for key, value in settings.items() if (key, value) not in _OF_NOBODY}
    found = Translation(model_name=settings.get("model", "")[:200], is_ours=settings.get("version") == "Darkroom")
    _prompts(text, found)
    found.fields |= {name: settings[key] for key, name in _SAME.items() if key in settings}
    _variation(found)
    _guidance(settings, found)
    _size(settings, found)
    _sampler(settings, found)
    _vae(settings, found)
    found.notes += _lost(text.settings)
    return found


def _prompts(text: Infotext, found: Translation) -> None:
    prompt = without_tags(text.prompt, found)
    for name, words in (("prompt", prompt), ("negative_prompt", text.negative_prompt)):
        if len(words) > MAX_PROMPT_CHARACTERS:
            called = name.replace("_", " ")
            found.notes.append(f"The {called} is cut after {MAX_PROMPT_CHARACTERS} characters; it has {len(words)}.")
        if words:
            found.fields[name] = words[:MAX_PROMPT_CHARACTERS]
    if not prompt:
        found.notes.append("There is no prompt in it.")


def without_tags(prompt: str, found: Translation) -> str:
    """The prompt without `<lora:name:weight>`, which become LoRAs in `found`, with a note for whatever else A1111 does
    not read as words."""
    plain = _tags_taken(prompt, found)
    if odd := _SYNTAX.search(plain):
        found.notes.append(f"A1111 reads “{_short(odd[0])}” as an instruction; here it is read as words.")
    return plain


def _tags_taken(prompt: str, found: Translation) -> str:
    loras: dict[str, str] = {}
    for kind, body in _TAG.findall(prompt):
        _lora(kind.lower(), body, loras, found)
    for name in list(loras)[MAX_LORAS:]:
        found.notes.append(f"The LoRA “{name}” is left out: {MAX_LORAS} can take part at once.")
        del loras[name]
    if loras:
        found.fields["loras"] = [{"name": name, "weight": weight} for name, weight in loras.items()]
    return _tidied(_TAG.sub("", prompt)) if _TAG.search(prompt) else prompt


def _lora(kind: str, body: str, loras: dict[str, str], found: Translation) -> None:
    name, *weights = (part.strip() for part in body.split(":"))
    name = re.sub(r"\.(safetensors|pt|ckpt)$", "", re.split(r"[/\\]", name)[-1])
    if kind == "hypernet" or not name:
        found.notes.append(f"“<{kind}:{_short(body)}>” in the prompt is left out.")
        return
    if name in loras:
        found.notes.append(f"The LoRA “{_short(name)}” is named twice; its first weight is used.")
        return
    loras[name], *more = [number for part in weights for number in re.split(r"[,=]", part)] or ["1"]
    if more or not _is_number(loras[name]):
        loras[name] = next((part for part in (loras[name], *more) if _is_number(part)), "1")
        found.notes.append(f"The LoRA “{_short(name)}” has one weight here, {loras[name]}; it had several.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _tidied(prompt: str) -> str:
    """A prompt without the doubled commas and spaces that tags leave behind."""
    once = re.sub(r",(?:[^\S\n]*,)+", ",", prompt)
    return re.sub(r"[^\S\n]+", " ", once).strip(", \n")


def _variation(found: Translation) -> None:
    """A variation of strength zero is none."""
    if str(found.fields.get("variation_strength", "0")).strip() in ("0", "0.0"):
        found.fields.pop("variation_strength", None)
        found.fields.pop("variation_seed", None)


def _guidance(settings: Mapping[str, str], found: Translation) -> None:
    """The guidance that a diffusers pipeline takes: for models with a distilled one that, as their other is off."""
    usual = settings.get("cfg scale", settings.get("guidance scale"))
    distilled = settings.get("distilled cfg scale")
    chosen = distilled or usual
    if chosen is not None:
        found.fields["guidance_scale"] = chosen
    if distilled and usual and usual not in ("1", "1.0"):
        found.notes.append(f"It has two guidances; the distilled one, {_short(distilled)}, is used.")


def _size(settings: Mapping[str, str], found: Translation) -> None:
    if "size" not in settings:
        return
    match = _SIZE.fullmatch(settings["size"].strip())
    if match:
        found.fields |= {"width": match[1], "height": match[2]}
    else:
        found.notes.append(f"The size “{_short(settings['size'])}” is not understood.")


def _sampler(settings: Mapping[str, str], found: Translation) -> None:
    """Sampling method and noise schedule, whether they stand apart or, as before 2024, in one name."""
    exact = settings.get("scheduler", "")
    name, schedule = split_sampler(settings.get("sampler", ""))
    schedule = settings.get("schedule type", schedule or ("" if exact in SAMPLERS else exact))
    classes = (exact,) if exact in SAMPLERS else meant_by(name)
    if len(classes) == 1:
        found.fields["scheduler"] = classes[0]
    elif classes:
        found.schedulers = classes
    elif name.lower() not in _IDLE:
        found.notes.append(f"There is no counterpart of the sampler “{_short(name)}”; the model's own is used.")
    if schedule.lower() not in _IDLE:
        found.notes.append(f"The noise schedule “{_short(schedule)}” cannot be chosen; the model's own is used.")


def meant_by(sampler: str) -> tuple[str, ...]:
    """The scheduler classes that a sampler's name can mean; none where it has no counterpart."""
    wanted = _OTHER_NAMES.get(sampler.lower(), sampler.lower())
    return tuple(kind for kind, known in SAMPLERS.items() if known.lower() == wanted)


def split_sampler(sampler: str) -> tuple[str, str]:
    """`DPM++ 2M Karras` → `DPM++ 2M`, `Karras`."""
    for schedule in SCHEDULES.values():
        for end in (f" {schedule.lower()}", f"_{schedule.lower()}"):
            if sampler.lower().endswith(end):
                return sampler[: -len(end)], schedule
    return sampler, ""


def _vae(settings: Mapping[str, str], found: Translation) -> None:
    name = re.sub(r"\.(safetensors|pt|ckpt|sft)$", "", settings.get("vae", "").strip())
    if name.lower() not in _IDLE:
        found.fields["vae"] = name


def _lost(settings: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each kind of setting that has no counterpart, and one for all that are not known."""
    kinds: dict[str, list[str]] = {}
    enlarged = any(key.lower().startswith("hires") for key in settings)
    for key, value in settings.items():
        if key.lower() in _READ or _WITHOUT_EFFECT.fullmatch(key) or _is_idle(key.lower(), value.lower()):
            continue
        kind = "hires" if enlarged and key.lower() == "denoising strength" else key
        kinds.setdefault(_sentence(kind), []).append(f"{_short(key)}: {_short(value)}")
    for sentence, pieces in kinds.items():
        yield sentence.format(", ".join(pieces))


def _is_idle(key: str, value: str) -> bool:
    """Whether a setting does nothing with that value."""
    return value in _IDLE or (key, value) in _IDLE_PAIRS


def _sentence(key: str) -> str:
    fitting = (sentence for pattern, sentence in _LOST if re.fullmatch(pattern, key, re.IGNORECASE))
    return next(fitting, "Not understood, and left out: {}.")


def _short(text: str) -> str:
    """A stretch of foreign text for a sentence: on one line, and not long."""
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:39]}…"
