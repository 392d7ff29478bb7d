"""What a single file is, told from names and shapes as the published files have them."""

from __future__ import annotations

import json

import pytest

from pipeline.models.header import Header, TensorFacts
from pipeline.models.own.identify import FileKind, identify, lacking
from pipeline.models.registry import Registry

UNET = "model.diffusion_model."
TO_K = f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
FIRST = f"{UNET}input_blocks.0.0.weight"
VAE = {"first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3)}
CLIP = "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"
OPEN_CLIP = "cond_stage_model.model.positional_embedding"
SDXL_CLIPS = ("conditioner.embedders.0.transformer.text_model.x", "conditioner.embedders.1.model.positional_embedding")

SD15 = {FIRST: (320, 4, 3, 3), TO_K: (320, 768), CLIP: (77, 768), **VAE}
SD21 = {FIRST: (320, 4, 3, 3), TO_K: (320, 1024), OPEN_CLIP: (77, 1024), **VAE}
SDXL = {FIRST: (320, 4, 3, 3), **dict.fromkeys(SDXL_CLIPS, (77, 768)), **VAE}
SD3 = {
    f"{UNET}joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,),
    f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536),
}
SD35 = {**SD3, f"{UNET}joint_blocks.0.x_block.attn2.qkv.weight": (4608, 1536)}
FLUX = {"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "guidance_in.in_layer.bias": (3072,)}


def header(tensors: dict[str, tuple[int, ...]], dtype: str = "F16", **metadata: str) -> Header:
    facts = {name: TensorFacts(dtype, shape) for name, shape in tensors.items()}
    return Header(facts, metadata, sum(2 * tensor.count for tensor in facts.values()))


def kind_of(tensors: dict[str, tuple[int, ...]], dtype: str = "F16", **metadata: str) -> FileKind:
    return identify(header(tensors, dtype, **metadata))


# -- checkpoints


@pytest.mark.parametrize(
    ("tensors", "family", "variant"),
    [(SD15, "sd15", ""), (SD21, "sd21", ""), (SDXL, "sdxl", ""), (SD3, "sd3", ""), (SD35, "sd3", "sd35-medium"),
     (FLUX, "flux", ""), ({f"{UNET}{name}": shape for name, shape in FLUX.items()}, "flux", ""),
     ({"double_blocks.0.img_attn.norm.key_norm.scale": (128,)}, "flux", "schnell")],
)  # fmt: skip
def test_a_checkpoint_is_known_by_its_tensors(tensors, family, variant):
    kind = kind_of(tensors)
    assert (kind.kind, kind.family, kind.variant, kind.refusal) == ("checkpoint", family, variant, "")


def test_a_unet_alone_is_known_by_the_width_of_the_text_it_attends_to():
    families = [kind_of({FIRST: (320, 4, 3, 3), TO_K: (320, width)}).family for width in (768, 1024, 2048)]
    assert families == ["sd15", "sd21", "sdxl"]


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({**SD15, FIRST: (320, 9, 3, 3)}, "inpainting checkpoint (9 input channels)"),
        ({**SD15, FIRST: (320, 8, 3, 3)}, "edits pictures (8 input channels)"),
        ({"conditioner.embedders.0.model.positional_embedding": (77, 1280), FIRST: (384, 4, 3, 3)}, "SDXL refiner"),
        ({**SDXL, "edm_mean": (4,)}, "Playground v2.5"),
        ({**SD3, f"{UNET}joint_blocks.37.x_block.mlp.fc1.weight": (9728, 2432)}, "Stable Diffusion 3.5 Large"),
        ({"model_ema.diffusion_modelinput_blocks00weight": (320, 4, 3, 3)}, "only the moving average (EMA)"),
        ({FIRST: (320, 4, 3, 3), TO_K: (320, 512)}, "a family that is not known"),
        ({**FLUX, "distilled_guidance_layer.in_proj.bias": (5120,)}, "a family that is not known"),
        ({"transformer_blocks.0.attn.to_q.weight": (8, 8)}, "one component of a diffusers folder"),
        ({"x.weight.quant_state.bitsandbytes__nf4": (8,)}, "bitsandbytes quantised"),
        ({"emb_params": (4, 768)}, "textual inversion"),
        ({"something": (4, 4, 4)}, "not of a kind"),
        ({}, "not of a kind"),
    ],
)
def test_what_cannot_make_pictures_from_text_is_refused_with_the_reason(tensors, reason):
    assert reason in kind_of(tensors).refusal


def test_full_and_pruned_files_are_told_apart():
    pruned, full = kind_of(SD15), kind_of({**SD15, "model_ema.decay": (1,)})
    assert pruned.notes[0].startswith("Pruned: it holds one set of weights")
    assert full.notes[0].startswith("Full: beside the weights it holds their moving average (EMA)")


@pytest.mark.parametrize(("dtype", "name"), [("F32", "fp32"), ("F16", "fp16"), ("BF16", "bf16"), ("F8_E4M3", "fp8")])
def test_the_precision_is_that_of_most_numbers(dtype, name):
    assert kind_of(SD15, dtype).precision == name
    assert f"Its weights are {name}." in kind_of(SD15, dtype).notes


def test_what_a_file_lacks_is_said_and_comes_from_elsewhere():
    flux = Registry.read().find("FLUX.1-dev")
    kind = kind_of(FLUX)
    assert "It has no VAE; the family's own is used." in kind.notes
    assert lacking(kind, flux) == ("text_encoder", "text_encoder_2", "vae")
    both = {"text_encoders.clip_l.x": (1,), "text_encoders.t5xxl.x": (1,), "vae.encoder.conv_in.weight": (128, 3, 3, 3)}
    assert lacking(kind_of({**FLUX, **both}), flux) == ()


def test_an_sd3_file_may_have_the_small_text_encoders_without_t5():
    clips = {"text_encoders.clip_l.transformer.x": (1,), "text_encoders.clip_g.transformer.x": (1,)}
    assert lacking(kind_of({**SD35, **clips, **VAE}), Registry.read().find("3.5-medium")) == ("text_encoder_3",)


# -- LoRAs


def lora(*names: str, width: int, rank: int = 8, ending: str = ".lora_down.weight") -> dict[str, tuple[int, ...]]:
    return {f"{name}{ending}": (rank, width) for name in names}


UNET_LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


@pytest.mark.parametrize(
    ("tensors", "family"),
    [
        (lora(UNET_LORA, width=768), "sd15"),
        (lora(UNET_LORA, width=1024), "sd21"),
        (lora("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", width=2048), "sdxl"),
        (lora("unet.down_blocks.1.attentions.0.attn2.to_k", width=2048, ending=".lora_A.weight"), "sdxl"),
        (lora("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", width=1280), "sdxl"),
        (lora("lora_te_text_model_encoder_layers_0_self_attn_q_proj", width=768), "sd15"),
        (lora("lora_te_text_model_encoder_layers_0_self_attn_q_proj", width=1024), "sd21"),
        (lora("lora_unet_double_blocks_0_img_attn_proj", width=3072), "flux"),
        (lora("transformer.single_transformer_blocks.3.attn.to_q", width=3072, ending=".lora_A.weight"), "flux"),
        (lora("transformer.transformer_blocks.3.attn.to_q", width=3072, ending=".lora_A.weight"), "flux"),
        (lora("transformer.transformer_blocks.40.attn.to_q", width=3072, ending=".lora_A.default.weight"), "qwen"),
        (lora("transformer_blocks.0.img_mlp.net.2", width=12288, ending=".lora_A.weight"), "qwen"),
        (lora("lora_unet_joint_blocks_0_x_block_attn_qkv", width=1536), "sd3"),
        (lora("transformer.transformer_blocks.0.attn.to_q", width=1536, ending=".lora_A.weight"), "sd3"),
        (lora("transformer.transformer_blocks.0.attn1.to_q", width=4096, ending=".lora_A.weight"), "cogview4"),
        (lora("transformer.transformer_blocks.0.attn1.to_q", width=1152, ending=".lora_A.weight"), "sana"),
        (lora(UNET_LORA, width=33), ""),
    ],
)
def test_a_lora_is_known_by_its_layers(tensors, family):
    kind = kind_of(tensors)
    assert (kind.kind, kind.family, kind.rank, kind.refusal) == ("lora", family, 8, "")


@pytest.mark.parametrize("ending", ["hada_w1_a", "lokr_w1"])
def test_a_lycoris_file_is_refused_with_the_reason(ending):
    kind = kind_of({f"{UNET_LORA}.{ending}": (4, 768)})
    assert kind.kind == "lora"
    assert "LyCORIS" in kind.refusal


def test_trigger_words_are_what_the_file_says_or_the_most_frequent_tags():
    tensors = lora(UNET_LORA, width=768)
    tags = json.dumps({"10_ink": {"ink drawing": 40, "tree ": 3}, "5_more": {"tree": 9, "": 70}})
    assert kind_of(tensors, ss_tag_frequency=tags).triggers == ("ink drawing", "tree")
    assert kind_of(tensors, ss_tag_frequency=tags, **{"modelspec.trigger_phrase": "inkk"}).triggers == ("inkk",)
    assert kind_of(tensors, ss_tag_frequency="{broken").triggers == ()
    assert kind_of(tensors, ss_tag_frequency='["a"]').triggers == ()


def test_the_base_model_is_what_the_file_says():
    assert kind_of(lora(UNET_LORA, width=768), ss_base_model_version="sd_v1").base == "sd_v1"


# -- VAEs and the rest


@pytest.mark.parametrize("prefix", ["", "first_stage_model.", "vae."])
def test_a_vae_is_known_with_or_without_the_prefix_of_its_checkpoint(prefix):
    tensors = {f"{prefix}encoder.conv_in.weight": (128, 3, 3, 3), f"{prefix}decoder.conv_in.weight": (512, 16, 3, 3)}
    kind = kind_of(tensors, "F32")
    assert (kind.kind, kind.latent_channels, kind.precision) == ("vae", 16, "fp32")


def test_a_vae_that_names_its_family_is_believed():
    tensors = {"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_in.weight": (512, 4, 3, 3)}
    said = {"modelspec.architecture": "stable-diffusion-xl-v1-base/vae"}
    assert [kind_of(tensors).family, kind_of(tensors, **said).family] == ["", "sdxl"]


def test_a_controlnet_is_not_taken_for_a_checkpoint():
    assert kind_of({"control_model.time_embed.0.weight": (1280, 320)}).kind == "controlnet"
