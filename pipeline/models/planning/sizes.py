"""How much memory the components of a checkpoint take: their weights exactly, what they compute with as an estimate.

Weights are counted in the safetensors headers when the files are on this disk, and else known from
`architectures.toml`. What a component holds while it computes was counted once for every class at full size, as the
peak of live tensors on torch's meta device; `HELD` says how much more than that is really taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from pipeline.models.architectures import ARCHITECTURES, Architecture
from pipeline.models.files import hub
from pipeline.models.files.selection import listed_in, weights_among
from pipeline.models.header import TensorFacts, read_header
from pipeline.models.registry import DType, ModelRecord
from pipeline.request import Precision

WIDTH: dict[DType, int] = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of one number."""
HELD = {"cpu": 1.25, "gpu": 2.0}
"""Memory that is really taken, as a multiple of the live tensors. For processors measured: an SD3 VAE at 512 × 512
and transformers at 1024 × 1024 took 1.22 to 1.27 times as much. For GPUs from published peaks of FLUX.1-dev at
1024 × 1024 (huggingface.co/datasets/derekl35/diffusers-quantization-benchmarks, an allocator that was not short of
memory): 1.1 GiB for the transformer, 4.7 GiB for the VAE, of which 0.46 and 1.5 are live tensors."""

_TEXT_VALUES = 25.0
"""Numbers that a text encoder holds for each token, as a multiple of its width; estimated from its feed-forward."""

_EMBEDDING = re.compile(
    r"(^|\.)(shared|embed_tokens|token_embedding|position_embedding|word_embeddings|position_embeddings"
    r"|token_type_embeddings|relative_attention_bias|wte|wpe|embedding|codebook|style_embedder|class_embedding"
    r"|data_type_token_embedding|rel_pos_embed)\.weight$"
)
"""Matrices that are tables, which bitsandbytes leaves alone."""
_KEPT = {
    "T5EncoderModel": re.compile(r"\.wo\.weight$"),
    "CLIPTextModelWithProjection": re.compile(r"^text_projection\.weight$"),
    "CLIPVisionModelWithProjection": re.compile(r"^visual_projection\.weight$"),
    "Qwen2_5_VLForConditionalGeneration": re.compile(r"lm_head\.weight$"),
    "HunyuanDiT2DModel": re.compile(r"(^|\.)pooler\."),
    "StableCascadeUNet": re.compile(r"^clip_txt_pooled_mapper\."),
}
"""Class → matrices that stay in 16 bits: transformers keeps them, or they cannot be quantised."""
_UPCAST = {"T5EncoderModel"}
"""Classes whose kept matrices become float32 where the rest is float16, because they would overflow."""
_BUFFER = re.compile(r"(^|\.)(pos_embed\.pos_embed|position_ids|gammas|num_batches_tracked|running_(mean|var))$")

Stamp = tuple[Path, int, int]
"""A file as it is now: its path, time of change in nanoseconds, and bytes."""


class ComponentSize(Architecture):
    """One component of one checkpoint: an architecture, known from its files or from `architectures.toml`."""

    file_bytes: int | None = None
    """Size of the weight files; None when they are not here."""
    exact: bool = False
    """Counted in the files themselves."""

    @classmethod
    def of(cls, architecture: Architecture) -> ComponentSize:
        """The size that `architectures.toml` gives."""
        return cls.model_validate(architecture.model_dump())

    def held_bytes(self, dtype: DType, precision: Precision) -> int:
        """Bytes of the weights and buffers as held in memory, in `dtype` and quantised to `precision`."""
        if precision == "nf4-full" and self.library == "diffusers":
            precision = "nf4"  # diffusers keeps nothing that could be quantised
        weights = self.weight_bytes(WIDTH[dtype], precision, float16=dtype == "float16")
        return weights + self._positions() * WIDTH["float32"]

    def _positions(self) -> int:
        """Numbers in a table of positions that is computed when the model is made, and stays in float32."""
        if self.kind == "CogView3PlusTransformer2DModel":
            return int(self.config.get("pos_embed_max_size", 128)) ** 2 * self.width()
        if self.kind == "PixArtTransformer2DModel":
            side = int(self.config.get("sample_size", 128)) // int(self.config.get("patch_size", 2))
            return side**2 * self.width()
        return 0

    def largest_layer(self) -> int:
        """Numbers in the largest single layer, about: the word table of a text encoder, a matrix elsewhere."""
        if self.library == "transformers":
            return max(self.parameters - self.linear, self.width() ** 2 * 4)
        return self.width() ** 2 * 8

    def largest_matrix(self) -> int:
        """Numbers in the largest matrix that computes, about: not a word table."""
        if self.library != "transformers":
            return self.largest_layer()
        text = self.config.get("text_config", self.config)
        inner = text.get("intermediate_size") or text.get("d_ff") or 4 * self.width()
        return self.width() * max(int(inner), self.width())

    def width(self) -> int:
        """Numbers that one token or position has inside."""
        config, text = self.config, self.config.get("text_config", self.config)
        known = _WIDTHS.get(self.kind, 0)
        if self.library == "transformers":
            return int(text.get("hidden_size") or text.get("d_model") or known or 2048)
        if "hidden_size" in config:
            return int(config["hidden_size"])
        if "num_attention_heads" in config or "attention_head_dim" in config:
            heads, dim = _HEADS.get(self.kind, (0, 0))
            heads, dim = config.get("num_attention_heads") or heads, config.get("attention_head_dim") or dim
            if isinstance(heads, int) and isinstance(dim, int) and heads * dim and "block_out_channels" not in config:
                return heads * dim
        return int((config.get("block_out_channels") or [known or 1024])[0])


def known_sizes(record: ModelRecord) -> dict[str, ComponentSize]:
    """The size of each component as the record's architectures say; looks at no files."""
    return {name: ComponentSize.of(ARCHITECTURES[key]) for name, key in record.components.items()}


def component_sizes(record: ModelRecord) -> dict[str, ComponentSize]:
    """The size of each component, counted in the files that are here, and for the rest as `known_sizes`."""
    return known_sizes(record) | dict(_found(record))


def computing_bytes(
    name: str, sizes: Mapping[str, ComponentSize], record: ModelRecord, pixels: int, width: int, *, guided: bool
) -> int:
    """Bytes of live tensors while component `name` works on a picture of `pixels` in numbers of `width` bytes.

    `guided` says whether classifier-free guidance is on; pipelines that run both halves at once then hold twice as
    much. An estimate.
    """
    size = sizes[name]
    if size.library == "transformers":
        return round(_TEXT_VALUES * record.prompt_tokens * size.width() * width)
    if size.kind in _DECODERS:
        if record.family == "sdxl":
            width = 4  # its VAE overflows in float16, so the pipeline computes with it in float32
        return round(_DECODERS[size.kind] * _decoder_channels(size) * pixels * width)
    rule = _DENOISERS.get(size.kind)
    if rule is None:
        return 0
    values, cell, text, doubles = rule
    if size.kind == "UNet2DConditionModel" and not _attends_at_the_top(size):
        values = _PLAIN_UNET
    side: float = cell or _shrink(sizes) * int(size.config.get("patch_size") or 2)
    if size.kind == "StableCascadeUNet" and _is_prior(size):
        side, doubles, values = 1024 / 24, True, _PRIOR_UNET
    tokens = pixels / side**2 + (record.prompt_tokens + 77 if text else 0)
    return round(values * tokens * size.width() * width * (2 if guided and doubles else 1))


_HEADS = {
    "SD3Transformer2DModel": (18, 64),
    "FluxTransformer2DModel": (24, 128),
    "QwenImageTransformer2DModel": (24, 128),
    "CogView3PlusTransformer2DModel": (64, 40),
    "CogView4Transformer2DModel": (64, 40),
    "PixArtTransformer2DModel": (16, 72),
    "HunyuanDiT2DModel": (16, 88),
    "SanaTransformer2DModel": (70, 32),
    "UniDiffuserModel": (16, 88),
}
"""Heads and their width where the configuration does not say: the defaults of diffusers' classes."""
_WIDTHS = {kind: heads * dim for kind, (heads, dim) in _HEADS.items()} | {
    "LuminaNextDiT2DModel": 2304,
    "UNet2DConditionModel": 320,
    "StableCascadeUNet": 2048,
    "PriorTransformer": 2048,
    "GlmModel": 4096,
    "Gemma2Model": 2304,
    "GemmaModel": 3072,
    "BertModel": 768,
}
"""Width where the configuration does not say: the defaults of the libraries' classes."""

# Live tensors counted on the meta device: FLUX.1, SD3 and SD3.5, Qwen-Image, CogView3+ and 4, PixArt, Lumina-Next,
# HunyuanDiT, Sana, UniDiffuser, SD 1.5, SDXL, Kandinsky and both stages of Cascade at 512² and 1024².
_DENOISERS: dict[str, tuple[float, int, bool, bool]] = {
    "SD3Transformer2DModel": (13.5, 0, True, True),
    "FluxTransformer2DModel": (17.6, 16, True, False),
    "QwenImageTransformer2DModel": (14.5, 16, True, False),
    "CogView3PlusTransformer2DModel": (12.5, 0, True, True),
    "CogView4Transformer2DModel": (12.1, 0, True, False),
    "PixArtTransformer2DModel": (11.6, 0, True, True),
    "LuminaNextDiT2DModel": (20.4, 0, True, True),
    "HunyuanDiT2DModel": (16.8, 0, True, True),
    "SanaTransformer2DModel": (11.6, 32, True, True),
    "UniDiffuserModel": (15.6, 0, True, True),
    "UNet2DConditionModel": (26.1, 8, False, True),
    "StableCascadeUNet": (17.9, 8, False, False),
}
"""Class → numbers held for each token as a multiple of the width, pixels that the side of a token covers (0: as the
VAE shrinks, times the patch), whether words are tokens too, and whether guidance runs as a batch of two."""
_PLAIN_UNET = 15.9
"""For UNets without attention at the full size of the latents: SDXL and Kandinsky."""
_PRIOR_UNET = 19.0

_DECODERS = {
    "AutoencoderKL": 3.0,
    "VQModel": 5.1,
    "AutoencoderDC": 6.6,
    "AutoencoderKLQwenImage": 18.1,
    "PaellaVQModel": 1.4,
}
"""Class → numbers held for each pixel of the picture as a multiple of the channels there; counted likewise."""


def _decoder_channels(size: ComponentSize) -> int:
    """Channels at full size: those of the second block from the end, whose last layer has that size already."""
    if size.kind == "AutoencoderKLQwenImage":
        return int(size.config.get("base_dim", 96))
    if size.kind == "PaellaVQModel":
        return int(size.config.get("embed_dim", 384))
    if size.kind == "AutoencoderDC":
        return int((size.config.get("decoder_block_out_channels") or [128])[0])
    return int(max(size.config.get("block_out_channels", (64,))[:2]))


def _shrink(sizes: Mapping[str, ComponentSize]) -> int:
    """How many pixels one side of a latent covers."""
    channels = [size.config.get("block_out_channels", ()) for size in sizes.values() if size.kind == "AutoencoderKL"]
    return 2 ** (len(channels[0]) - 1) if channels and channels[0] else 8


def _attends_at_the_top(size: ComponentSize) -> bool:
    blocks = size.config.get("down_block_types") or ["CrossAttnDownBlock2D"]
    return "CrossAttn" in blocks[0]


def _is_prior(size: ComponentSize) -> bool:
    """Whether it is Cascade's first stage, whose latents are 24 × 24 for a picture of 1024 × 1024."""
    return "effnet_in_channels" not in size.config or size.config["effnet_in_channels"] is None


def _found(record: ModelRecord) -> Iterator[tuple[str, ComponentSize]]:
    """The components whose files are on this disk, in diffusers' layout."""
    for source in hub.sources(record):
        folder = source.place
        if source.key == hub.CONFIG or folder is None or not folder.is_dir():
            continue
        try:
            listed = listed_in(folder, source.key)
        except (OSError, ValueError):
            continue
        for there in source.taken(listed):
            size = _size(folder / there, record.variant)
            if size is not None:
                yield there if source.key in listed else source.key + there, size


def _size(folder: Path, variant: str) -> ComponentSize | None:
    """The component in `folder`; None when it has no weights, or they cannot be read."""
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    weights = weights_among(names, variant)
    if weights is None:
        return None
    files = [folder / name for name in weights.files if name.endswith(".safetensors")]
    try:
        return _measured(tuple(_stamp(file) for file in (folder / "config.json", *files)))
    except (OSError, ValueError):
        return None


def _stamp(file: Path) -> Stamp:
    facts = file.stat()
    return file, facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=256)
def _measured(files: tuple[Stamp, ...]) -> ComponentSize | None:
    """The component whose configuration and weights these are; remembered, since a page asks at every draw."""
    (config_file, *_), *weights = files
    config = json.loads(config_file.read_text(encoding="utf-8"))
    kind = config.get("_class_name") or next(iter(config.get("architectures") or ()), None)
    if not kind:
        return None
    headers = [read_header(file) for file, *_ in weights]
    tensors = {name: facts for header in headers for name, facts in header.tensors.items()}
    return ComponentSize(
        library="diffusers" if "_class_name" in config else "transformers",
        kind=kind,
        file_bytes=sum(size for *_, size in weights),
        config=config,
        exact=True,
        **_counts(kind, tensors),
    )


def _counts(kind: str, tensors: Mapping[str, TensorFacts]) -> dict[str, int]:
    """Parameters, and how many of them bitsandbytes quantises, by the tensors' names and shapes."""
    buffers = sum(facts.count for name, facts in tensors.items() if _BUFFER.search(name))
    linear = {name: facts.count for name, facts in tensors.items() if _is_linear(name, facts)}
    pattern = _KEPT.get(kind)
    kept = sum(count for name, count in linear.items() if pattern and pattern.search(name))
    parameters = sum(facts.count for facts in tensors.values()) - buffers
    found = {"parameters": parameters, "linear": sum(linear.values()), "kept": kept, "buffers": buffers}
    return found | {"upcast": kept if kind in _UPCAST else 0}


def _is_linear(name: str, facts: TensorFacts) -> bool:
    return len(facts.shape) == 2 and name.endswith(".weight") and not _EMBEDDING.search(name)
