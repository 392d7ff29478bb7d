"""How much memory of a device this process holds."""

from __future__ import annotations

import torch


def device_bytes() -> int:
    """Bytes that torch has taken from the accelerator, in use or kept for later; 0 where there is none, and on Apple
    GPUs, whose memory is the main one. For any thread."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None or accelerator.type == "mps":
        return 0
    return sum(torch.accelerator.memory_reserved(index) for index in range(torch.accelerator.device_count()))
