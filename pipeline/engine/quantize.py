"""Four and eight bits with bitsandbytes, on GPUs and on processors alike.

bitsandbytes 0.50 computes both on a processor, and transformers allows it; diffusers refuses both there. `allow_cpu`
registers quantisers that differ from diffusers' own in that one check.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import diffusers
import torch
import transformers
from diffusers.quantizers import PipelineQuantizationConfig
from diffusers.quantizers.auto import AUTO_QUANTIZER_MAPPING

from pipeline.engine.placement import Placement
from pipeline.errors import DependencyMissing
from pipeline.request import ComponentUse

_PACKED_ROWS, _PACKED_COLUMNS = 32, 64
"""Sizes that bitsandbytes' packed four-bit layout for processors divides a matrix into."""


def quantization_config(
    placement: Placement, components: dict[str, type], worth: Iterable[str]
) -> PipelineQuantizationConfig | None:
    """The pipeline's quantisation: a config for each of `components` that is `worth` it; None for none.

    Raises `DependencyMissing` without bitsandbytes.
    """
    chosen = {name: components[name] for name in worth if name in components}
    if placement.quantization == "none" or not chosen:
        return None
    _require_bitsandbytes()
    allow_cpu()
    return PipelineQuantizationConfig(quant_mapping={name: _config(kind, placement) for name, kind in chosen.items()})


def allow_cpu() -> None:
    """Teach diffusers that bitsandbytes runs on processors; safe to call again."""
    for method in ("bitsandbytes_4bit", "bitsandbytes_8bit"):
        quantizer = AUTO_QUANTIZER_MAPPING[method]
        if not getattr(quantizer, "allows_cpu", False):
            AUTO_QUANTIZER_MAPPING[method] = _allowing_cpu(quantizer)


def loosen_packing(model: Any) -> None:
    """Keep bitsandbytes from packing four-bit matrices that do not fit its layout for AVX-512 processors.

    It packs at the first use and asserts the sizes instead of asking; without packing such a layer computes as well.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        odd = isinstance(module, Linear4bit) and (
            module.out_features % _PACKED_ROWS or module.in_features % _PACKED_COLUMNS
        )
        if odd:
            module.support_avx512bf16_for_cpu = False


def component_uses(pipeline: Any, placement: Placement) -> dict[str, ComponentUse]:
    """Measure every component of `pipeline` that has weights. Buffers count as bytes, not as parameters."""
    return {
        name: component_use(component, placement)
        for name, component in sorted(pipeline.components.items())
        if isinstance(component, torch.nn.Module)
    }


def component_use(model: torch.nn.Module, placement: Placement) -> ComponentUse:
    """Measure one component as it is held now."""
    width = placement.torch_dtype.itemsize
    parameters = before = after = 0
    for tensor in model.parameters():
        count, packed = _count(tensor), _is_packed(tensor)
        parameters += count
        before += count * width if packed else tensor.nbytes
        after += tensor.nbytes + _state_bytes(tensor)
    buffers = sum(tensor.nbytes for tensor in model.buffers())
    return ComponentUse(
        parameters=parameters,
        dtype=placement.dtype,
        quantization=_kind(model),
        bytes_before=before + buffers,
        bytes_after=after + buffers,
    )


def _config(kind: type, placement: Placement) -> Any:
    library = diffusers if issubclass(kind, diffusers.ModelMixin) else transformers
    if placement.quantization == "int8":
        return library.BitsAndBytesConfig(load_in_8bit=True)
    # Devices without bfloat16 were given float16 by the placement; the rest compute in bfloat16.
    compute = torch.float16 if placement.dtype == "float16" else torch.bfloat16
    return library.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


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
            if {str(place) for place in places} != {"cpu"}:
                super().validate_environment(*args, **kwargs)

    return OnProcessorsToo


def _kind(model: torch.nn.Module) -> Literal["none", "nf4", "int8"]:
    if getattr(model, "is_loaded_in_4bit", False):
        return "nf4"
    return "int8" if getattr(model, "is_loaded_in_8bit", False) else "none"


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
