"""What the planner counts, held against real components: the weights of every family's classes at 20 million
parameters and more, and the tensors that live while they compute, counted on torch's meta device."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.engine.check import build
from pipeline.engine.component import load_component
from pipeline.engine.quantize import component_use
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.models.architectures import ARCHITECTURES
from pipeline.models.planning.sizes import component_sizes, computing_bytes, known_sizes
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import Precision
from tests.checkpoints import SD35

SMALLER: dict[str, dict[str, Any]] = {
    "sd35-medium-transformer": {
        "num_layers": 3, "num_attention_heads": 8, "caption_projection_dim": 512, "pos_embed_max_size": 64,
        "dual_attention_layers": [0],
    },
    "flux-transformer": {"num_layers": 1, "num_single_layers": 1, "num_attention_heads": 6},
    "qwen-image-transformer": {"num_layers": 1, "num_attention_heads": 6},
    "cogview3-plus-transformer": {"num_layers": 3, "num_attention_heads": 16},
    "cogview4-transformer": {"num_layers": 2, "num_attention_heads": 6},
    "pixart-transformer": {"num_layers": 5, "num_attention_heads": 8, "cross_attention_dim": 576},
    "lumina-next-transformer": {"num_layers": 3, "hidden_size": 768},
    "hunyuan-transformer": {"num_layers": 4, "num_attention_heads": 8, "hidden_size": 704},
    "sana-600m-transformer": {
        "num_layers": 6, "num_attention_heads": 18, "num_cross_attention_heads": 9, "cross_attention_head_dim": 64,
        "cross_attention_dim": 576,
    },
    "unidiffuser-transformer": {"num_layers": 6, "num_attention_heads": 8},
    "sd15-unet": {"block_out_channels": [64, 128, 256, 256]},
    "sdxl-unet": {
        "block_out_channels": [64, 128, 256], "attention_head_dim": [1, 2, 4],
        "transformer_layers_per_block": [1, 1, 3],
    },
    "kandinsky22-unet": {"block_out_channels": [64, 128, 192, 192]},
    "kandinsky22-prior": {"num_layers": 3, "num_attention_heads": 12},
    "cascade-decoder": {
        "block_out_channels": [64, 128, 512, 512], "down_num_layers_per_block": [1, 1, 4, 1],
        "up_num_layers_per_block": [1, 4, 1, 1], "num_attention_heads": [0, 0, 8, 8], "conditioning_dim": 512,
    },
    "clip-l": {"num_hidden_layers": 2},
    "t5-xxl": {"d_model": 768, "d_ff": 2048, "num_heads": 12, "num_layers": 2},
    "mt5-xl": {"d_model": 512, "d_ff": 1024, "num_heads": 8, "num_layers": 2, "vocab_size": 40000},
    "chinese-roberta-large": {
        "hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8, "num_hidden_layers": 3,
    },
    "glm-4-9b": {
        "hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 4, "num_key_value_heads": 2,
        "num_hidden_layers": 3, "vocab_size": 30000, "pad_token_id": 0,
    },
    "gemma-2b": {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 3, "vocab_size": 30000},
    "gemma2-2b": {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 3, "vocab_size": 30000},
    "sd3-vae": {},
    "qwen-image-vae": {},
}  # fmt: skip
"""Architecture → what makes it small enough for a test; everything else is as published."""


def component(key: str) -> torch.nn.Module:
    return build(ARCHITECTURES[key], **SMALLER[key])


@pytest.fixture(scope="module")
def record() -> ModelRecord:
    return Registry.read().find(SD35)


@pytest.mark.parametrize("key", SMALLER)
def test_predicted_weights_are_within_two_percent_of_those_held(key: str, record: ModelRecord, tmp_path: Path) -> None:
    name, folder = "transformer", tmp_path / "transformer"
    made = component(key).to(torch.bfloat16)
    made.save_pretrained(folder)
    (tmp_path / "model_index.json").write_text(
        f'{{"{name}": ["{ARCHITECTURES[key].library}", "{type(made).__name__}"]}}'
    )
    size = component_sizes(record.model_copy(update={"source": str(tmp_path), "components": {}}))[name]
    assert size.parameters >= 20_000_000
    assert size.parameters == sum(parameter.numel() for parameter in made.parameters())
    precisions: tuple[Precision, ...] = ("none",) if key.endswith("vae") else ("none", "nf4")
    for precision in precisions:
        held = load_component(
            type(made),
            folder,
            name,
            precision=precision,
            dtype=torch.bfloat16,
            device="cpu",
            record=record,
            cache=QuantizedCache(tmp_path / "cache"),
            emit=lambda event: None,
        ).model
        assert size.held_bytes("bfloat16", precision) == pytest.approx(component_use(held).bytes_after, rel=0.02)


class _Flash(TorchFunctionMode):
    """Attention as kernels compute it that never hold the whole matrix."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is F.scaled_dot_product_attention:
            named = kwargs or {}
            query, value = args[0] if args else named["query"], args[2] if args else named["value"]
            return query.new_empty((*query.shape[:-1], value.shape[-1]))
        return function(*args, **(kwargs or {}))


class _Living(TorchDispatchMode):
    """Counts the bytes of tensors that live."""

    def __init__(self, known: set[int]) -> None:
        super().__init__()
        self._living, self._known, self._now, self.peak = set(known), known, 0, 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
            if storage is None or storage._cdata in self._living:
                continue
            self._living.add(storage._cdata)
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())
        return made

    def _gone(self, storage: int, size: int) -> None:
        self._living.discard(storage)
        self._now -= size


def living_bytes(key: str, call: Callable[[Any, Callable[..., torch.Tensor]], object], **smaller: Any) -> int:
    """The most bytes of tensors that live at once in `call(model, tensor)`, in bfloat16 and without the weights."""
    architecture = ARCHITECTURES[key]
    kind: Any = getattr(diffusers, architecture.kind)
    with torch.device("meta"):
        model = kind.from_config(architecture.config | smaller).eval()
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.to(torch.bfloat16)
    known = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}

    def tensor(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.bfloat16, device="meta")

    living = _Living(known)
    with torch.no_grad(), _Flash(), living:
        call(model, tensor)
    return living.peak


def sd3(model: Any, tensor: Callable[..., torch.Tensor]) -> object:
    return model(
        tensor(2, 16, 128, 128),
        encoder_hidden_states=tensor(2, 333, 4096),
        pooled_projections=tensor(2, 2048),
        timestep=tensor(2),
    )


def flux(model: Any, tensor: Callable[..., torch.Tensor]) -> object:
    return model(
        tensor(1, 4096, 64),
        encoder_hidden_states=tensor(1, 512, 4096),
        pooled_projections=tensor(1, 768),
        timestep=tensor(1),
        img_ids=tensor(4096, 3),
        txt_ids=tensor(512, 3),
        guidance=tensor(1),
    )


def sdxl(model: Any, tensor: Callable[..., torch.Tensor]) -> object:
    more = {"text_embeds": tensor(2, 1280), "time_ids": tensor(2, 6)}
    return model(tensor(2, 4, 128, 128), tensor(2), tensor(2, 77, 2048), added_cond_kwargs=more)


def sd15(model: Any, tensor: Callable[..., torch.Tensor]) -> object:
    return model(tensor(2, 4, 64, 64), tensor(2), tensor(2, 77, 768))


def decoded(model: Any, tensor: Callable[..., torch.Tensor]) -> object:
    return model.decode(tensor(1, 16, 128, 128)).sample


@pytest.mark.parametrize(
    ("model", "name", "call", "smaller"),
    [
        (SD35, "transformer", sd3, {"num_layers": 4, "dual_attention_layers": [0, 1]}),
        ("black-forest-labs/FLUX.1-dev", "transformer", flux, {"num_layers": 2, "num_single_layers": 2}),
        ("stabilityai/stable-diffusion-xl-base-1.0", "unet", sdxl, {}),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "unet", sd15, {}),
        (SD35, "vae", decoded, {}),
    ],
)
def test_estimated_tensors_are_close_to_those_that_live_while_a_real_component_computes(
    model: str, name: str, call: Callable[[Any, Callable[..., torch.Tensor]], object], smaller: dict[str, Any]
) -> None:
    record = Registry.read().find(model)
    width, height = record.size.native
    estimated = computing_bytes(name, known_sizes(record), record, width * height, 2, guided=True)
    assert estimated == pytest.approx(living_bytes(record.components[name], call, **smaller), rel=0.1)
