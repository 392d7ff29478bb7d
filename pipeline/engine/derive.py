"""Further pipelines of a loaded model: other classes around the same components."""

from __future__ import annotations

import inspect
from typing import Any

import diffusers

from pipeline.engine.load import Loaded

_RESTING = ("_all_hooks", "_offload_device", "_offload_gpu_id", "hf_device_map")
"""Where a diffusers pipeline notes how its components rest in main memory, or on which GPUs."""


def derived(loaded: Loaded, kind: str, **added: Any) -> Any:
    """A pipeline of the diffusers class `kind` with the components of the loaded one as they are now (quantised,
    placed, with their hooks, LoRAs and VAE), with its settings, and with the components `added`.

    Not `from_pipe`, which would bring everything to float32.
    """
    own, made = loaded.pipeline, getattr(diffusers, kind)
    known = {**own.config, **loaded.record.load_arguments, **own.components, **added}
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(made).parameters.items():
        if name in known:
            arguments[name] = known[name]
        elif parameter.default is inspect.Parameter.empty:
            arguments[name] = None
    pipeline = made(**arguments)
    pipeline.set_progress_bar_config(disable=True)
    for name in _RESTING:
        if hasattr(own, name):
            setattr(pipeline, name, getattr(own, name))
    return pipeline
