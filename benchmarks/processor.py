"""What bfloat16 costs on this processor: each kind of layer in bfloat16 and in float32, in turns, on one thread.

    .venv/bin/python -m benchmarks.processor

By this the planner's rule can be checked: a processor that only imitates bfloat16 computes in float32. The layers have
the sizes of a small transformer (1,024 tokens of 1,536 numbers) and of a VAE (256 channels at 64 × 64).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from bitsandbytes.nn import Linear4bit
from torch import nn

from benchmarks.measure import middle, table
from pipeline.engine.report import computes_bfloat16

ROUNDS = 3
WIDTH, TOKENS, CHANNELS, SIDE = 1536, 1024, 256, 64


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    rows = [(name, middle(ratios(make, shape)), "") for name, (make, shape) in LAYERS.items()]
    told = "computes in bfloat16" if computes_bfloat16("cpu") else "imitates it: computed in float32"
    table("Time in bfloat16 ÷ time in float32", [*rows, ("torch.backends.cpu: " + capability(), told, "")])


def capability() -> str:
    """What torch makes of the processor, such as `AVX2`."""
    return torch.backends.cpu.get_cpu_capability()


def linear(dtype: torch.dtype) -> nn.Module:
    return nn.Linear(WIDTH, WIDTH).to(dtype)


def four_bits(dtype: torch.dtype) -> nn.Module:
    layer: nn.Module = Linear4bit(WIDTH, WIDTH, compute_dtype=dtype, quant_type="nf4")
    return layer.to("cpu")


def convolution(dtype: torch.dtype) -> nn.Module:
    return nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(dtype)


LAYERS: dict[str, tuple[Callable[[torch.dtype], nn.Module], tuple[int, ...]]] = {
    "A linear layer": (linear, (1, TOKENS, WIDTH)),
    "The same in four bits (NF4)": (four_bits, (1, TOKENS, WIDTH)),
    "A convolution, 3 × 3": (convolution, (1, CHANNELS, SIDE, SIDE)),
}


def ratios(make: Callable[[torch.dtype], nn.Module], shape: tuple[int, ...]) -> list[float]:
    """One for each round, after a first call that is not counted."""
    layers = {dtype: make(dtype) for dtype in (torch.bfloat16, torch.float32)}
    inputs = {dtype: torch.randn(shape, dtype=dtype) for dtype in layers}
    found = []
    for _ in range(ROUNDS + 1):
        took = {dtype: seconds(layer, inputs[dtype]) for dtype, layer in layers.items()}
        found.append(took[torch.bfloat16] / took[torch.float32])
    return found[1:]


@torch.inference_mode()
def seconds(layer: nn.Module, given: torch.Tensor) -> float:
    """Processor time of one call."""
    began = time.process_time()
    layer(given)
    return time.process_time() - began


if __name__ == "__main__":
    main()
