"""Tiny checkpoints as single files in their makers' layout, made from the diffusers folders that they are the same as.

    sd_original(sd15_checkpoint(folder), file)     Stable Diffusion 1.5, or 2.1 with OpenCLIP's names
    sdxl_original(wide_sdxl_checkpoint(folder), file)
    sd3_original(sd35_checkpoint(folder), file)    the transformer and the VAE, as the published files

Diffusers converts from that layout and not to it, so the inverse is here: names as `loaders/single_file_utils.py` maps
them, read backwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.checkpoints.parts import clip_encoder, kl_vae, save, seeded
from tests.checkpoints.tokenizers import clip_tokenizer

State = dict[str, torch.Tensor]

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_SD3 = {
    r"^pos_embed\.proj": "x_embedder.proj",
    r"^pos_embed\.pos_embed": "pos_embed",
    r"^time_text_embed\.timestep_embedder\.linear_1": "t_embedder.mlp.0",
    r"^time_text_embed\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
    r"^time_text_embed\.text_embedder\.linear_1": "y_embedder.mlp.0",
    r"^time_text_embed\.text_embedder\.linear_2": "y_embedder.mlp.2",
    r"^proj_out": "final_layer.linear",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
    r"^transformer_blocks\.(\d+)\.": r"joint_blocks.\1.",
    r"\.(attn2?)\.to_q\.": r".x_block.\1.qkv.",
    r"\.attn\.add_q_proj\.": ".context_block.attn.qkv.",
    r"\.(attn2?)\.to_out\.0\.": r".x_block.\1.proj.",
    r"\.attn\.to_add_out\.": ".context_block.attn.proj.",
    r"\.(attn2?)\.norm_([qk])\.": r".x_block.\1.ln_\2.",
    r"\.attn\.norm_added_([qk])\.": r".context_block.attn.ln_\1.",
    r"\.norm1\.linear": ".x_block.adaLN_modulation.1",
    r"\.norm1_context\.linear": ".context_block.adaLN_modulation.1",
    r"\.ff\.net\.0\.proj": ".x_block.mlp.fc1",
    r"\.ff\.net\.2": ".x_block.mlp.fc2",
    r"\.ff_context\.net\.0\.proj": ".context_block.mlp.fc1",
    r"\.ff_context\.net\.2": ".context_block.mlp.fc2",
}


def sd_original(folder: Path, file: Path, *, open_clip: bool = False) -> Path:
    """Write the Stable Diffusion 1.5 or 2.1 in `folder` as one file."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    clip = _wrapped(pipeline.text_encoder.state_dict())
    text = (
        _prefixed("cond_stage_model.model.", open_clip_original(clip))
        if open_clip
        else _prefixed("cond_stage_model.transformer.", clip)
    )
    return _file(file, _latent_diffusion(pipeline) | text)


def sdxl_original(folder: Path, file: Path) -> Path:
    """Write the SDXL in `folder` as one file."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)
    first = _prefixed("conditioner.embedders.0.transformer.", _wrapped(pipeline.text_encoder.state_dict()))
    second = _prefixed("conditioner.embedders.1.model.", open_clip_original(pipeline.text_encoder_2.state_dict()))
    return _file(file, _latent_diffusion(pipeline) | first | second)


def sd3_original(folder: Path, file: Path) -> Path:
    """Write transformer and VAE of the SD3.5 in `folder` as one file."""
    transformer = SD3Transformer2DModel.from_pretrained(folder, subfolder="transformer", dtype=torch.bfloat16)
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", dtype=torch.bfloat16)
    state = _prefixed("model.diffusion_model.", sd3_transformer_original(transformer))
    return _file(file, state | _prefixed("first_stage_model.", vae_original(vae)))


def wide_sdxl_checkpoint(folder: Path, seed: int = 0) -> Path:
    """An SDXL whose two text encoders differ in width, as they do in the published one: that is how the library tells
    them apart in a single file."""
    tokenizer = clip_tokenizer()
    narrow = clip_encoder(tokenizer).config
    wide = CLIPTextConfig(**narrow.to_dict() | {"hidden_size": 64, "projection_dim": 64, "intermediate_size": 128})
    with seeded(seed):
        pipeline = StableDiffusionXLPipeline(
            unet=UNet2DConditionModel(
                sample_size=8,
                block_out_channels=(32, 64),
                layers_per_block=1,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                attention_head_dim=4,
                norm_num_groups=8,
                use_linear_projection=True,
                cross_attention_dim=narrow.hidden_size + wide.hidden_size,
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                projection_class_embeddings_input_dim=wide.projection_dim + 6 * 8,
            ),
            vae=kl_vae(scaling_factor=0.13025),
            text_encoder=CLIPTextModel(narrow),
            tokenizer=tokenizer,
            text_encoder_2=CLIPTextModelWithProjection(wide),
            tokenizer_2=tokenizer,
            scheduler=EulerDiscreteScheduler(steps_offset=1),
            add_watermarker=False,
        )
    return save(pipeline, folder, torch.float32)


def sd3_transformer_original(transformer: SD3Transformer2DModel) -> State:
    """An SD3 transformer's tensors under the names of Stability's code, with its projections in one matrix."""
    own, state = transformer.state_dict(), State()
    last = f"transformer_blocks.{transformer.config.num_layers - 1}.norm1_context"
    for name, tensor in own.items():
        if name.startswith((f"{last}.linear", "norm_out.linear")):
            tensor = torch.cat(tensor.chunk(2)[::-1])  # noqa: PLW2901 - shift and scale stand the other way round
        if match := re.search(r"\.(to_q|add_q_proj)\.", name):
            others = (match[1].replace("q", letter) for letter in "qkv")
            tensor = torch.cat([own[name.replace(match[1], other)] for other in others])  # noqa: PLW2901
        elif re.search(r"\.(to_[kv]|add_[kv]_proj)\.", name):
            continue
        state[_renamed(name, _SD3)] = tensor
    return state


def unet_original(unet: UNet2DConditionModel) -> State:
    """A UNet's tensors under the names of the latent-diffusion code."""
    return {_unet_name(name, unet.config): tensor for name, tensor in unet.state_dict().items()}


def vae_original(vae: Any) -> State:
    """A VAE's tensors under the names of the latent-diffusion code, whose attention is made of 1 × 1 convolutions."""
    state = {}
    last = len(vae.config.up_block_types) - 1
    for name, tensor in vae.state_dict().items():
        original = _vae_name(name, last)
        as_convolution = "mid.attn_1" in original and tensor.ndim == 2
        state[original] = tensor[:, :, None, None] if as_convolution else tensor
    return state


def open_clip_original(clip: Mapping[str, torch.Tensor]) -> State:
    """A CLIP text encoder's tensors under OpenCLIP's names, with its three projections in one matrix."""
    state = {
        "positional_embedding": clip["text_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": clip["text_model.embeddings.token_embedding.weight"],
        "ln_final.weight": clip["text_model.final_layer_norm.weight"],
        "ln_final.bias": clip["text_model.final_layer_norm.bias"],
    }
    if "text_projection.weight" in clip:
        state["text_projection"] = clip["text_projection.weight"].T
    for name, tensor in clip.items():
        match = re.fullmatch(r"text_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            continue
        block, rest, what = f"transformer.resblocks.{match[1]}", match[2], match[3]
        if rest == "self_attn.q_proj":
            kinds = (clip[name.replace("q_proj", f"{letter}_proj")] for letter in "qkv")
            state[f"{block}.attn.in_proj_{what}"] = torch.cat(list(kinds))
        elif rest in _OPEN_CLIP:
            state[f"{block}.{_OPEN_CLIP[rest]}.{what}"] = tensor
    return state


def _unet_name(name: str, config: Any) -> str:
    for new, old in _UNET.items():
        if name.startswith(f"{new}."):
            return name.replace(new, old, 1)
    if match := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        place = 1 if match[1] == "attentions" else 2 * int(match[2])
        return f"middle_block.{place}.{_resnet(match[3], match[1])}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
    assert match is not None, name
    side, block, kind, layer, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    step = config.layers_per_block + 1
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * step}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        inside = 2 if "CrossAttn" in config.up_block_types[block] else 1
        return f"output_blocks.{block * step + step - 1}.{inside}.{rest}"
    place = f"input_blocks.{1 + block * step + layer}" if side == "down" else f"output_blocks.{block * step + layer}"
    return f"{place}.{1 if kind == 'attentions' else 0}.{_resnet(rest, kind)}"


def _resnet(rest: str, kind: str) -> str:
    part, _, what = rest.partition(".")
    return f"{_RESNET[part]}.{what}" if kind == "resnets" else rest


def _vae_name(name: str, last: int) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        start, rest = name.split("mid_block.attentions.0.")
        new = next(new for new in _VAE_ATTENTION if rest.startswith(new))
        return f"{start}mid.attn_1.{rest.replace(new, _VAE_ATTENTION[new], 1)}"
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda found: f"up.{last - int(found[1])}.block", name)
    return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda found: f"up.{last - int(found[1])}.upsample", name)


def _wrapped(clip: Mapping[str, torch.Tensor]) -> State:
    """Names as they were when these files were made: everything inside `text_model`."""
    return {name if name.startswith("text_") else f"text_model.{name}": tensor for name, tensor in clip.items()}


def _latent_diffusion(pipeline: Any) -> State:
    unet = _prefixed("model.diffusion_model.", unet_original(pipeline.unet))
    return unet | _prefixed("first_stage_model.", vae_original(pipeline.vae))


def _renamed(name: str, rules: Mapping[str, str]) -> str:
    for new, old in rules.items():
        name = re.sub(new, old, name)
    return name


def _prefixed(prefix: str, state: Mapping[str, torch.Tensor]) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def _file(file: Path, state: State) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, file)
    return file
