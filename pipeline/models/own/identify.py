"""What a single safetensors file is: told from the names and shapes of its tensors, before anything is loaded.

    kind = identify(read_header(path))

The names are those that diffusers (`loaders/single_file_utils.py`, `loaders/lora_conversion_utils.py`), kohya's
scripts and ComfyUI write. Nothing of what a file says about itself in its metadata decides what it is; that only adds
to what is shown.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.models.header import Header, TensorFacts
from pipeline.models.own.networks import network_of
from pipeline.models.registry import ModelRecord

Kind = Literal["checkpoint", "lora", "vae", "controlnet", "upscaler", "embedding", "unknown"]

_DENOISER = "model.diffusion_model."
_EMA = "model_ema."
_VAE = ("first_stage_model.", "vae.")
_TEXT = ("cond_stage_model.", "conditioner.embedders.", "text_encoders.")
_LDM_BLOCK = "input_blocks.0.0.weight"
_CHANNELS = 4
"""Input channels of a UNet that makes pictures from text alone."""
_OTHER_UNETS = {9: "an inpainting checkpoint", 8: "a checkpoint that edits pictures", 7: "an upscaler"}
_DTYPES = {"F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8", "F64": "fp64"}
_TRIGGERS = 8
"""How many of a LoRA's most frequent training words are taken for its trigger words."""

_CROSS_ATTENTION = {768: "sd15", 1024: "sd21", 2048: "sdxl"}
"""Width of the text that a UNet attends to → its family."""
_LORA_DOWN = re.compile(r"\.(?:lora_down|lora_A|lora\.down)(?:\.default)?\.weight$|_lora\.down\.weight$")
_LYCORIS = re.compile(r"\.(hada_w1_a|lokr_w1(?:_a)?|oft_blocks|oft_diag|glora|boft)")
_FLUX_DOUBLE_BLOCKS = 19
_FLUX_WIDTH = 3072


@dataclass(frozen=True, slots=True)
class FileKind:
    """What one file is. `family` is a registry family, or empty where the tensors do not tell."""

    kind: Kind
    family: str = ""
    variant: str = ""
    """Of a checkpoint, where it matters: `refiner`, `playground-v2.5`, `sd35-medium`, `sd35-large` or `schnell`. Of an
    upscaler its network: `compact` or `esrgan`."""
    precision: str = ""
    """`fp32`, `fp16`, `bf16` or `fp8`: that of most of its numbers."""
    channels: int = 0
    """Of a checkpoint with a UNet: its input channels; 9 is inpainting."""
    has_vae: bool = False
    texts: int = 0
    """Of a checkpoint: how many text encoders are in it."""
    latent_channels: int = 0
    """Of a VAE."""
    factor: int = 0
    """Of an upscaler: how many times as wide and high it makes a picture."""
    rank: int = 0
    """Of a LoRA: its largest rank."""
    triggers: tuple[str, ...] = ()
    """Words that the LoRA was trained on, the most frequent first."""
    base: str = ""
    """What the LoRA says it was trained on."""
    refusal: str = ""
    """Why it cannot be used, as a clause that follows its name; empty when it can."""
    notes: tuple[str, ...] = ()
    """Sentences for the person."""


def identify(header: Header) -> FileKind:
    """What the file with that header is; `kind` is `unknown` when nothing fits."""
    tensors = header.tensors
    if any("bitsandbytes__" in name for name in tensors):
        return FileKind("unknown", refusal="holds weights that bitsandbytes quantised, which have no loader as a file")
    if _is_lora(tensors):
        return _lora(header)
    if _is_checkpoint(tensors):
        return _checkpoint(header)
    if any(name.startswith(("control_model.", "controlnet_cond_embedding.", "controlnet_blocks.")) for name in tensors):
        return FileKind("controlnet", precision=_precision(tensors.values()))
    if channels := _latent_channels(tensors):
        return FileKind("vae", latent_channels=channels, precision=_precision(tensors.values()), family=_said(header))
    if any(name.startswith(("down_blocks.", "transformer_blocks.")) for name in tensors):
        return FileKind("unknown", refusal="is one component of a diffusers folder; add the whole folder instead")
    if network := network_of(tensors):
        refusal = "" if network.factor > 1 else "mends pictures without making them larger"
        precision = _precision(tensors.values())
        variant, factor = network.architecture, network.factor
        return FileKind("upscaler", variant=variant, factor=factor, precision=precision, refusal=refusal)
    if _is_embedding(tensors):
        return FileKind("embedding", refusal="is a textual inversion, not a LoRA, a VAE or a checkpoint")
    return FileKind("unknown", refusal="is not of a kind that is known here")


def an(kind: str) -> str:
    """The name of a kind of file with its article."""
    return f"an {kind}" if kind[0] in "eu" else f"a {kind}"


def lacking(kind: FileKind, record: ModelRecord) -> tuple[str, ...]:
    """The components of `record` that its single file does not hold, and that come from `record.config` instead."""
    encoders = sorted(name for name in record.components if name.startswith("text_encoder"))
    absent = encoders[kind.texts :]
    return tuple(absent) if kind.has_vae or "vae" not in record.components else (*absent, "vae")


def _is_checkpoint(tensors: Mapping[str, TensorFacts]) -> bool:
    return any(
        name.startswith((_DENOISER, _EMA, "double_blocks.0.", "joint_blocks.0.")) or name == _LDM_BLOCK
        for name in tensors
    )


def _checkpoint(header: Header) -> FileKind:
    tensors = header.tensors
    denoiser = {
        name.removeprefix(_DENOISER): facts
        for name, facts in tensors.items()
        if not name.startswith((_EMA, *_VAE, *_TEXT))
    }
    family, variant = _family(tensors, denoiser)
    first = denoiser.get(_LDM_BLOCK)
    ema = any(name.startswith(_EMA) for name in tensors)
    channels = first.shape[1] if first is not None and len(first.shape) == 4 else 0
    texts = _texts(tensors)
    kind = FileKind(
        "checkpoint",
        family=family,
        variant=variant,
        precision=_precision(denoiser.values()),
        channels=channels,
        has_vae=any(name.startswith(_VAE) for name in tensors),
        texts=texts,
        refusal=_checkpoint_refusal(family, variant, channels, ema_only=ema and not denoiser),
    )
    return _with_notes(kind, ema=ema)


def _family(tensors: Mapping[str, TensorFacts], denoiser: Mapping[str, TensorFacts]) -> tuple[str, str]:
    """Family and variant of a checkpoint, from its structure and, where a UNet stands alone, from its widths."""
    if "double_blocks.0.img_attn.norm.key_norm.scale" in denoiser:
        if any(name.startswith(("distilled_guidance_layer.", "single_stream_modulation.")) for name in denoiser):
            return "", ""
        return "flux", "" if any(name.startswith("guidance_in.") for name in denoiser) else "schnell"
    if "joint_blocks.0.context_block.adaLN_modulation.1.bias" in denoiser:
        if any(name.startswith("joint_blocks.37.") for name in denoiser):
            return "sd3", "sd35-large"
        return "sd3", "sd35-medium" if any(".attn2." in name for name in denoiser) else ""
    if any(name.startswith("conditioner.embedders.1.") for name in tensors):
        return "sdxl", "playground-v2.5" if "edm_mean" in tensors else ""
    if any(name.startswith("conditioner.embedders.0.model.") for name in tensors):
        return "sdxl", "refiner"
    if any(name.startswith("cond_stage_model.model.") for name in tensors):
        return "sd21", ""
    if any(name.startswith("cond_stage_model.transformer.") for name in tensors):
        return "sd15", ""
    return _by_cross_attention(facts.shape[-1] for name, facts in denoiser.items() if "attn2.to_k" in name), ""


def _texts(tensors: Mapping[str, TensorFacts]) -> int:
    """Text encoders in the file."""
    if any(name.startswith("cond_stage_model.") for name in tensors):
        return 1
    for prefix in ("conditioner.embedders.", "text_encoders."):
        if found := {name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)}:
            return len(found)
    return 0


def _checkpoint_refusal(family: str, variant: str, channels: int, *, ema_only: bool) -> str:
    if ema_only:
        return "holds only the moving average (EMA) of a training run, under names that no loader reads"
    if not family:
        return "is a checkpoint of a family that is not known here"
    if channels not in {0, _CHANNELS}:
        what = _OTHER_UNETS.get(channels, "a checkpoint for another task")
        return f"is {what} ({channels} input channels), which cannot make a picture from text alone"
    if variant == "refiner":
        return "is the SDXL refiner, which finishes the pictures of another model and makes none from text alone"
    if variant == "playground-v2.5":
        return "is Playground v2.5, whose scheduler the registry does not know"
    if variant == "sd35-large":
        return "is Stable Diffusion 3.5 Large, which the registry does not know"
    return ""


def _with_notes(kind: FileKind, *, ema: bool) -> FileKind:
    if kind.refusal:
        return kind
    weights = (
        "Full: beside the weights it holds their moving average (EMA) for training on; the plain weights are used."
        if ema
        else "Pruned: it holds one set of weights, without a second one (EMA) for training on."
    )
    inside = [
        f"Its weights are {kind.precision}.",
        "It brings its own VAE." if kind.has_vae else "It has no VAE; the family's own is used.",
        "It brings its text encoders." if kind.texts else "It has no text encoders; the family's own are used.",
    ]
    return replace(kind, notes=(weights, *inside))


# -- LoRA


def _is_lora(tensors: Mapping[str, TensorFacts]) -> bool:
    return any(_LORA_DOWN.search(name) or _LYCORIS.search(name) for name in tensors)


def _lora(header: Header) -> FileKind:
    down = {name: facts for name, facts in header.tensors.items() if _LORA_DOWN.search(name)}
    rank = max((facts.shape[0] for facts in down.values() if facts.shape), default=0)
    other = next((found[1] for name in header.tensors if (found := _LYCORIS.search(name))), "")
    metadata = header.metadata
    return FileKind(
        "lora",
        family=_lora_family(down or header.tensors),
        precision=_precision(header.tensors.values()),
        rank=rank,
        triggers=_triggers(metadata),
        base=metadata.get("modelspec.architecture") or metadata.get("ss_base_model_version") or "",
        refusal=f"is a LyCORIS file ({other.split('_')[0]}), which the library cannot add to a model" if other else "",
    )


def _lora_family(down: Mapping[str, TensorFacts]) -> str:
    """The family that a LoRA's layers belong to."""
    names = " ".join(down)
    if "joint_blocks" in names:
        return "sd3"
    if re.search("double_blocks|single_blocks|single_transformer_blocks", names):
        return "flux"
    if any(sign in names for sign in ("down_blocks", "input_blocks", "mid_block", "middle_block", "up_blocks")):
        return _unet_lora_family(down)
    if "transformer_blocks" in names:
        return _transformer_lora_family(down, names)
    return _text_lora_family(down)


def _unet_lora_family(down: Mapping[str, TensorFacts]) -> str:
    widths = (
        facts.shape[1] for name, facts in down.items() if re.search(r"attn2[._]to_[kv]", name) and _is_matrix(facts)
    )
    return _by_cross_attention(widths) or _text_lora_family(down)


def _transformer_lora_family(down: Mapping[str, TensorFacts], names: str) -> str:
    """Diffusion transformers that diffusers names alike; widths are those of the published models."""
    if "txt_mlp" in names or "img_mlp" in names:
        return "qwen"
    widths = Counter(
        facts.shape[1] for name, facts in down.items() if re.search(r"to_q\b|to_q[._]", name) and _is_matrix(facts)
    )
    width = widths.most_common(1)[0][0] if widths else 0
    if width == _FLUX_WIDTH:
        blocks = [int(found) for found in re.findall(r"transformer_blocks[._](\d+)", names)]
        return "qwen" if max(blocks) >= _FLUX_DOUBLE_BLOCKS else "flux"
    return {1536: "sd3", 2432: "sd3", 4096: "cogview4", 1152: "sana", 2240: "sana"}.get(width, "")


def _text_lora_family(down: Mapping[str, TensorFacts]) -> str:
    """Of a LoRA for text encoders alone, or of one whose UNet layers have unknown widths."""
    names = " ".join(down)
    if re.search(r"lora_te2_|text_encoder_2\.", names):
        return "sdxl" if "t5" not in names else ""
    widths = {facts.shape[1] for name, facts in down.items() if re.search(r"self_attn", name) and _is_matrix(facts)}
    return "sd15" if widths == {768} else "sd21" if widths == {1024} else ""


def _by_cross_attention(widths: Iterable[int]) -> str:
    found = {_CROSS_ATTENTION[width] for width in widths if width in _CROSS_ATTENTION}
    return found.pop() if len(found) == 1 else ""


def _is_matrix(facts: TensorFacts) -> bool:
    return len(facts.shape) >= 2


def _triggers(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The words to write in the prompt: what the file says, else the tags that it was trained on most."""
    if phrase := str(metadata.get("modelspec.trigger_phrase", "")).strip():
        return (phrase,)
    try:
        folders = json.loads(metadata.get("ss_tag_frequency", "{}"))
        counts = Counter[str]()
        for tags in folders.values():
            counts.update({tag.strip(): int(count) for tag, count in tags.items() if tag.strip()})
    except (ValueError, AttributeError, TypeError):
        return ()
    return tuple(tag for tag, _ in counts.most_common(_TRIGGERS))


# -- the rest


def _latent_channels(tensors: Mapping[str, TensorFacts]) -> int:
    for prefix in ("", *_VAE):
        first = tensors.get(f"{prefix}decoder.conv_in.weight")
        if first is not None and len(first.shape) == 4 and f"{prefix}encoder.conv_in.weight" in tensors:
            return first.shape[1]
    return 0


def _said(header: Header) -> str:
    """The family that a VAE names in its metadata, since those of SD 1.5 and SDXL have the same tensors."""
    said = header.metadata.get("modelspec.architecture", "")
    if "stable-diffusion-xl" in said:
        return "sdxl"
    return "sd15" if "stable-diffusion-v1" in said else ""


def _is_embedding(tensors: Mapping[str, TensorFacts]) -> bool:
    return 0 < len(tensors) <= 3 and all(len(facts.shape) <= 2 and facts.shape[-1] < 5000 for facts in tensors.values())


def _precision(tensors: Iterable[TensorFacts]) -> str:
    """The dtype that most numbers have, as people call it."""
    counts = Counter[str]()
    for facts in tensors:
        counts[facts.dtype] += facts.count
    return _DTYPES.get(counts.most_common(1)[0][0], "") if counts else ""
