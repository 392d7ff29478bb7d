"""Four and eight bits with bitsandbytes, on GPUs and on processors alike.

bitsandbytes 0.50 computes both on a processor, and transformers allows it; diffusers refuses both there. `allow_cpu`
registers quantisers that differ from diffusers' own in that one check.

transformers keeps some linear layers in 16 bits: T5's `wo`, and output layers. `nf4` leaves them so, `nf4-full`
quantises them too. docs/four-bits.md tells what that saves and costs.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.quantizers.auto import AUTO_QUANTIZER_MAPPING

from pipeline.errors import DependencyMissing
from pipeline.events import Quantized, Unquantized
from pipeline.recipe import ComponentUse
from pipeline.request import Precision

_PACKED_ROWS, _PACKED_COLUMNS = 32, 64
"""Sizes that bitsandbytes' packed four-bit layout for processors divides a matrix into."""
UNFIT = {"HunyuanDiT2DModel": ["pooler"], "StableCascadeUNet": ["clip_txt_pooled_mapper"]}
"""Class → layers that cannot be quantised. Hunyuan's pooler multiplies with the weights themselves, and Stable
Cascade's pipelines take the dtype of its first weights for that of their latents."""
_KEPT = "_keep_in_fp32_modules"
"""Attribute of a transformers class: names of the layers that are not quantised."""
_LARGEST = 3

_keep_lists = threading.RLock()


def settled(kind: type, precision: Precision, dtype: torch.dtype) -> Precision:
    """What `precision` means for a component of class `kind` that is loaded in `dtype`.

    diffusers keeps no layers of our classes, so `nf4-full` is `nf4` there. In float16 the layers that transformers
    keeps would overflow, so there they stay as they are.
    """
    if precision == "nf4-full" and (dtype == torch.float16 or not issubclass(kind, transformers.PreTrainedModel)):
        return "nf4"
    return precision


def quantization_config(kind: type, folder: Path, precision: Precision, dtype: torch.dtype, device: str) -> Any:
    """The configuration with which a component of class `kind` is loaded from its `folder` in four or eight bits, for
    `device`; `precision` is settled.

    Raises `DependencyMissing` without bitsandbytes.
    """
    _require_bitsandbytes()
    allow_cpu()
    library = diffusers if issubclass(kind, diffusers.ModelMixin) else transformers
    skipped = _tied(kind, folder) if precision == "nf4-full" else list(UNFIT.get(kind.__name__, ())) or None
    if precision == "int8":
        return library.BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped)
    return library.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=_compute_dtype(dtype, device),
        llm_int8_skip_modules=skipped,
    )


def _compute_dtype(dtype: torch.dtype, device: str) -> torch.dtype:
    """Whatever cannot compute in bfloat16 was given float16, or float32 where it is a processor."""
    given = dtype == torch.float16 or (dtype == torch.float32 and device == "cpu")
    return dtype if given else torch.bfloat16


@contextmanager
def keep_list(kind: type, precision: Precision) -> Iterator[None]:
    """Load in this context: for `nf4-full`, transformers then keeps no layers out of the quantisation.

    It reads their names from the class and offers no argument, so the class is changed and changed back.
    """
    owner = next((base for base in kind.__mro__ if vars(base).get(_KEPT)), None)
    if owner is None or precision != "nf4-full":
        yield
        return
    with _keep_lists:
        names = getattr(owner, _KEPT)
        setattr(owner, _KEPT, None)
        try:
            yield
        finally:
            setattr(owner, _KEPT, names)


def allow_cpu() -> None:
    """Teach diffusers that bitsandbytes runs on processors; safe to call again."""
    for method in ("bitsandbytes_4bit", "bitsandbytes_8bit"):
        quantizer = AUTO_QUANTIZER_MAPPING[method]
        if not getattr(quantizer, "allows_cpu", False):
            AUTO_QUANTIZER_MAPPING[method] = _allowing_cpu(quantizer)


def make_usable(model: Any) -> None:
    """Work around two habits of the libraries, which would fail or compute nonsense. For freshly loaded models.

    bitsandbytes packs four-bit matrices for AVX-512 processors at their first use, and asserts the sizes instead of
    asking; without packing such a layer computes as well. And T5 casts what goes into `wo` to the dtype of its
    weights, which for four bits is a byte; stored as floating-point numbers they let it through.
    """
    from bitsandbytes.nn import Linear4bit

    kept = getattr(model, _KEPT, None) or getattr(type(model), _KEPT, None) or ()
    for name, module in model.named_modules():
        if not isinstance(module, Linear4bit):
            continue
        if name.rpartition(".")[2] in kept:
            stored = module.weight.data.flatten().view(module.weight.quant_state.dtype)
            module.weight.data = stored.unsqueeze(1)
            module.weight.quant_storage = module.quant_storage = module.weight.dtype
            module.support_avx512bf16_for_cpu = False
        if module.out_features % _PACKED_ROWS or module.in_features % _PACKED_COLUMNS:
            module.support_avx512bf16_for_cpu = False


def component_uses(pipeline: Any) -> dict[str, ComponentUse]:
    """Measure every component of `pipeline` that has weights."""
    return {
        name: component_use(component)
        for name, component in sorted(pipeline.components.items())
        if isinstance(component, torch.nn.Module)
    }


def component_use(model: torch.nn.Module) -> ComponentUse:
    """Measure one component as it is held now. Buffers count as bytes, not as parameters."""
    dtype = _dtype(model)
    parameters = before = after = 0
    for tensor in model.parameters():
        count, packed = _count(tensor), _is_packed(tensor)
        parameters += count
        before += count * dtype.itemsize if packed else tensor.nbytes
        after += tensor.nbytes + _state_bytes(tensor)
    buffers = sum(tensor.nbytes for tensor in model.buffers())
    return ComponentUse(
        parameters=parameters,
        dtype=str(dtype).removeprefix("torch."),
        quantization=_precision(model),
        bytes_before=before + buffers,
        bytes_after=after + buffers,
    )


def report_on(model: Any, component: str, seconds: float, *, cached: bool) -> Quantized:
    """Report on a quantised component that took `seconds` to load."""
    use = component_use(model)
    return Quantized(
        component=component,
        precision=use.quantization,
        parameters=use.parameters,
        bytes_before=use.bytes_before,
        bytes_after=use.bytes_after,
        seconds=seconds,
        cached=cached,
        largest_left=_largest_left(model),
    )


def _tied(kind: Any, folder: Path) -> list[str]:
    """Layers whose weights are the embedding's: quantised, they would no longer be."""
    config = kind.config_class.from_pretrained(folder).get_text_config()
    if not getattr(config, "tie_word_embeddings", False):
        return []
    return [name.removesuffix(".weight") for name in getattr(kind, "_tied_weights_keys", None) or ()]


def _require_bitsandbytes() -> None:
    try:
        import bitsandbytes  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        raise DependencyMissing(
            f"Quantised weights need bitsandbytes, which cannot be used: {error}",
            "Run `make setup`, or choose quantization none.",
            field="quantization",
        ) from error


def _allowing_cpu(base: type) -> type:
    class OnProcessorsToo(base):  # type: ignore[misc]
        allows_cpu = True

        def validate_environment(self, *args: Any, **kwargs: Any) -> None:
            places = (kwargs.get("device_map") or {}).values()
            if not {str(place) for place in places} <= {"cpu"}:  # single files are loaded without a map
                super().validate_environment(*args, **kwargs)

    return OnProcessorsToo


def _precision(model: torch.nn.Module) -> Precision:
    """How `model` was loaded; a list of layers to skip, even an empty one, is only given for `nf4-full`."""
    if getattr(model, "is_loaded_in_8bit", False):
        return "int8"
    if not getattr(model, "is_loaded_in_4bit", False):
        return "none"
    return "nf4" if not isinstance(model, transformers.PreTrainedModel) or _skipped(model) is None else "nf4-full"


def _skipped(model: Any) -> list[str] | None:
    """The layers that the configuration of a quantised model names as not to be."""
    names: list[str] | None = model.config.quantization_config.llm_int8_skip_modules
    return names


def _dtype(model: torch.nn.Module) -> torch.dtype:
    """What most of the weights are in, or were before they were quantised to four bits."""
    counts: Counter[torch.dtype] = Counter()
    for tensor in model.parameters():
        state = getattr(tensor, "quant_state", None)
        counts[tensor.dtype if state is None else state.dtype] += _count(tensor)
    floats = {dtype: count for dtype, count in counts.items() if dtype.is_floating_point}
    return max(floats, key=floats.__getitem__, default=torch.float32)


def _is_packed(tensor: torch.Tensor) -> bool:
    return hasattr(tensor, "quant_state") or hasattr(tensor, "SCB")


def _count(tensor: torch.Tensor) -> int:
    """Weights in `tensor`; in four bits one byte holds two."""
    state = getattr(tensor, "quant_state", None)
    return int(tensor.numel() if state is None else state.shape.numel())


def _state_bytes(tensor: torch.Tensor) -> int:
    """Bytes of the scales that a quantised tensor carries along."""
    total, state = 0, getattr(tensor, "quant_state", None)
    while state is not None:
        total += state.absmax.nbytes + state.code.nbytes
        state = getattr(state, "state2", None)
    scales = getattr(tensor, "SCB", None)
    return total + (0 if scales is None else scales.nbytes)


def _largest_left(model: Any) -> tuple[Unquantized, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    layers: Counter[tuple[str, str]] = Counter()
    seen: set[int] = set()
    for name, module in model.named_modules():
        tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        left = sum(tensor.numel() for tensor in tensors if not _is_packed(tensor) and id(tensor) not in seen)
        seen.update(map(id, tensors))
        kind = re.sub(r"\b\d+\b", "*", name) or "(the component itself)", _reason(name, module, model)
        counts[kind] += left
        layers[kind] += 1
    return tuple(
        Unquantized(name=name, layers=layers[name, reason], parameters=count, reason=reason)
        for (name, reason), count in counts.most_common(_LARGEST)
        if count
    )


def _reason(name: str, module: torch.nn.Module, model: Any) -> str:
    """Why `module`, or what is left of it, is not quantised."""
    if any(_is_packed(tensor) for tensor in module.parameters(recurse=False)):
        return "bias"
    if isinstance(module, torch.nn.Linear):
        if any(f".{skipped}." in f".{name}." for skipped in _skipped(model) or ()):
            return "named by the skip list"
        return f"kept by {type(model).__module__.partition('.')[0]}"
    if isinstance(module, torch.nn.Embedding):
        return "embedding"
    if isinstance(module, torch.nn.modules.conv._ConvNd):
        return "convolution"
    if "norm" in type(module).__name__.lower():
        return "norm"
    return "no linear layer"
