"""A tiny HunyuanDiT."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import DDPMScheduler, HunyuanDiT2DModel, HunyuanDiTPipeline
from transformers import BertConfig, BertModel, BertTokenizer

from tests.checkpoints.parts import T5_WIDTH, kl_vae, save, seeded, t5_encoder
from tests.checkpoints.tokenizers import bert_tokenizer, keep_sentencepiece_only, keep_word_list_only, t5_tokenizer

BERT_WIDTH = 64


def hunyuan_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like HunyuanDiT-v1.2, in float16. Its patches are of 8 × 8 latents rather than 2 × 2, so that
    the sizes it was trained at, 1024 × 1024 and its like, take a second; about 3 MB."""
    bert, t5 = bert_tokenizer(), t5_tokenizer(256)
    with seeded(seed):
        pipeline = HunyuanDiTPipeline(
            vae=kl_vae(sample_size=512, scaling_factor=0.13025, block_out_channels=(4, 4, 4, 8)),
            text_encoder=_bert(bert),
            tokenizer=bert,
            text_encoder_2=t5_encoder(t5),
            tokenizer_2=t5,
            transformer=_transformer(),
            scheduler=DDPMScheduler(
                beta_start=0.00085,
                beta_end=0.018,
                beta_schedule="scaled_linear",
                clip_sample=False,
                prediction_type="v_prediction",
                steps_offset=1,
            ),
            safety_checker=None,
            feature_extractor=None,
        )
    save(pipeline, folder, torch.float16)
    keep_word_list_only(folder / "tokenizer")
    keep_sentencepiece_only(folder / "tokenizer_2")
    return folder


def _bert(tokenizer: BertTokenizer) -> BertModel:
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=BERT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=128,
    )
    return BertModel(config)


def _transformer() -> HunyuanDiT2DModel:
    return HunyuanDiT2DModel(
        num_attention_heads=2,
        attention_head_dim=32,
        in_channels=4,
        patch_size=8,
        sample_size=128,
        hidden_size=64,
        num_layers=4,
        cross_attention_dim=BERT_WIDTH,
        cross_attention_dim_t5=T5_WIDTH,
        pooled_projection_dim=64,
        text_len=77,
        text_len_t5=256,
        use_style_cond_and_image_meta_size=False,
    )
