"""Where and how a model is held here: device, dtype, quantisation and offload, each chosen with its reason.

What a device cannot do is decided in this file alone. `place` only reads its arguments, so any machine's case can be
tried anywhere.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict

from pipeline.errors import InvalidRequest
from pipeline.models.hardware import Device, Hardware
from pipeline.models.registry import ModelRecord
from pipeline.request import Offload, Precision, Quantization

DType = Literal["float32", "float16", "bfloat16"]


class Placement(BaseModel):
    """A settled plan; `auto` no longer occurs in it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["cuda", "mps", "xpu", "cpu"]
    device: str
    """As torch names it, such as `cuda:0`."""
    label: str
    """As recipes name it, such as `cuda:0 (NVIDIA GeForce RTX 4070)`."""
    dtype: DType
    quantization: Precision
    offload: Literal["none", "model", "group", "sequential"]
    reason: str
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What two placements must share so that one loaded pipeline serves both, whatever their reasons."""
        return self.device, self.dtype, self.quantization, self.offload

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype of everything that is not quantised."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype


def place(
    record: ModelRecord,
    hardware: Hardware,
    quantization: Quantization = "auto",
    offload: Offload = "auto",
    *,
    bfloat16: bool = True,
) -> Placement:
    """The placement of `record` on the best device; `bfloat16` says whether that device computes in it.

    Raises `InvalidRequest` for a quantisation that the device cannot do.
    """
    device = hardware.best
    weights, weights_why = _weights(record, device, quantization)
    resting, resting_why = _resting(record, device, offload)
    dtype, dtype_why = _dtype(record, device, bfloat16)
    return Placement(
        kind=device.kind,
        device="mps" if device.kind == "mps" else "cpu" if device.kind == "cpu" else f"{device.kind}:{device.index}",
        label=device.label,
        dtype=dtype,
        quantization=weights,
        offload=resting,
        reason=f"{record.name} on {device.label}: {dtype_why}; {weights_why}; {resting_why}.",
        warnings=_warnings(record, device, quantization, offload),
    )


def computes_bfloat16(device: Device) -> bool:
    """Whether `device` really computes in bfloat16: NVIDIA GPUs before Ampere and old macOS do not."""
    if device.kind == "cpu":
        return True
    if device.kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        torch.ones(1, dtype=torch.bfloat16, device=device.kind).add_(1)
    except (RuntimeError, TypeError):
        return False
    return True


def settle(pipeline: Any, placement: Placement) -> None:
    """Put a loaded diffusers pipeline where `placement` says, with diffusers' own calls."""
    device = torch.device(placement.device)
    if placement.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif placement.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    elif placement.offload == "group":
        pipeline.enable_group_offload(onload_device=device, offload_type="leaf_level", use_stream=_streams(placement))
    else:
        pipeline.to(device)


def _streams(placement: Placement) -> bool:
    """Overlapping copies with computing needs streams, which only these two have."""
    return placement.kind in {"cuda", "xpu"}


def _weights(record: ModelRecord, device: Device, wish: Quantization) -> tuple[Precision, str]:
    if wish == "int8" and device.kind == "mps":
        raise InvalidRequest(
            "Eight-bit weights do not run on Apple GPUs: bitsandbytes has no kernel for them there.",
            "Choose quantization nf4 or none.",
            field="quantization",
        )
    if not record.nf4:
        return "none", "no component is worth quantising"
    if wish != "auto":
        return wish, f"quantization {wish} was asked for"
    if device.kind in {"cpu", "mps"}:
        return "none", "weights unquantised, since that is faster where main memory is all there is"
    return record.quantization, f"quantization {record.quantization} as the model's record advises"


def _resting(
    record: ModelRecord, device: Device, wish: Offload
) -> tuple[Literal["none", "model", "group", "sequential"], str]:
    if device.kind in {"cpu", "mps"}:
        return "none", "no offload, since there is no second memory to offload to"
    if wish != "auto":
        return wish, f"offload {wish} was asked for"
    return record.offload, f"offload {record.offload} as the model's record advises"


def _dtype(record: ModelRecord, device: Device, bfloat16: bool) -> tuple[DType, str]:
    """The record's dtype, or what stands in for it.

    Without bfloat16 a GPU falls back to float16, which is as small; T5's large activations stay safe, because
    transformers keeps the layers that overflow in float32. A processor computes float16 slowly and not everywhere,
    so there it becomes float32.
    """
    if record.dtype == "bfloat16" and not bfloat16:
        return "float16", "float16, since this device does not compute in bfloat16"
    if record.dtype == "float16" and device.kind == "cpu":
        return "float32", "float32, since processors compute float16 slowly"
    return record.dtype, record.dtype


def _warnings(record: ModelRecord, device: Device, quantization: Quantization, offload: Offload) -> tuple[str, ...]:
    found = []
    if offload not in {"auto", "none"} and device.kind in {"cpu", "mps"}:
        found.append(f"Offload {offload} is ignored: on {device.label} there is no second memory to offload to.")
    if quantization not in {"auto", "none"} and not record.nf4:
        found.append(f"Quantization {quantization} is ignored: {record.name} has no component worth quantising.")
    return tuple(found)
