"""Tokenizers and text encoders: the three stock encoders of Stable Diffusion 3, made tiny.

Both CLIP encoders read byte-complete BPE tokens, the T5 encoder reads Unigram pieces. All three see the
prompt padded to 32 tokens without a padding mask, exactly as `StableDiffusion3Pipeline` calls them.
"""

from __future__ import annotations

import io
import json
import math
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import sentencepiece
import torch
import torch.nn.functional as F
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from demo.captions import FILLERS, QUALITY, describe
from demo.scenes import sample_scene

MAX_TOKENS = 32
"""Prompt length of every encoder; pass it to the pipeline as `max_sequence_length`."""
JOINT_DIM = 192
CLIP_VOCABULARY = 1400
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYMBOLS = "0123456789.,;:!?'\"-_()[]{}&/+*#%@$<>=~^|\\`"
_FRAGMENTS = [
    "th",
    "he",
    "in",
    "er",
    "an",
    "re",
    "on",
    "at",
    "en",
    "nd",
    "es",
    "or",
    "te",
    "of",
    "ed",
    "is",
    "it",
    "al",
    "ar",
    "st",
    "to",
    "nt",
    "ng",
    "se",
    "ha",
    "as",
    "ou",
    "le",
    "ve",
    "co",
    "me",
    "de",
    "hi",
    "ri",
    "ro",
    "ic",
    "ne",
    "ea",
    "ra",
    "ce",
    "li",
    "ch",
    "ll",
    "be",
    "ma",
    "si",
    "om",
    "ur",
    "la",
    "el",
    "tr",
    "un",
    "ca",
    "pe",
    "ta",
    "so",
    "no",
    "lo",
    "ho",
    "us",
    "ow",
    "oo",
    "sh",
    "ck",
    "ing",
    "ion",
    "ent",
    "tion",
    "ver",
    "ness",
]
"""Frequent English letter groups: they keep words that captions never use short."""


def corpus(count: int = 30_000) -> list[str]:
    """Captions and neutral words to train the tokenizers on."""
    rng = random.Random(5)
    return [describe(rng, sample_scene(rng)) for _ in range(count)] + [*QUALITY, *FILLERS] * 20


def train_clip_tokenizer(texts: Sequence[str]) -> CLIPTokenizer:
    """A byte-level BPE tokenizer in CLIP's form: lower case, words end in `</w>`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    learner.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=CLIP_VOCABULARY, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False,
    ))  # fmt: skip
    merges = [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
    pieces = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *(a + b for a, b in merges)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_TOKENS)


def _lower_case_map() -> bytes:
    """A SentencePiece character map from A-Z to a-z, the only normaliser a saved T5 tokenizer keeps."""
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder, "rules.tsv")
        rules.write_text("".join(f"{ord(c.upper()):X}\t{ord(c):X}\n" for c in _LETTERS))
        proto = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([f"a {_LETTERS}"] * 50), model_writer=proto, vocab_size=32,
            normalization_rule_tsv=str(rules), hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # protobuf makes it while it runs
    model.ParseFromString(proto.getvalue())
    found: bytes = model.normalizer_spec.precompiled_charsmap
    return found


def train_t5_tokenizer(texts: Sequence[str]) -> T5Tokenizer:
    """A Unigram tokenizer in T5's form: a piece for every word of the captions, and spelling for the rest."""
    words = Counter(word.strip(",") for text in texts for word in text.split())
    total = words.total()
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word}", math.log(count / total)) for word, count in words.most_common() if count >= 5]
    pieces += [(fragment, -14.0) for fragment in _FRAGMENTS]
    pieces += [(letter, -11.0) for letter in f"▁{_LETTERS}{_SYMBOLS}"]
    unique = list({piece: (piece, score) for piece, score in pieces}.values())
    return T5Tokenizer(
        vocab=unique, extra_ids=0, model_max_length=MAX_TOKENS, _spm_precompiled_charsmap=_lower_case_map()
    )


def _clip(tokenizer: CLIPTokenizer, width: int) -> CLIPTextModelWithProjection:
    return CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width, projection_dim=width,
        num_hidden_layers=2, num_attention_heads=width // 64, max_position_embeddings=MAX_TOKENS, hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    ))  # fmt: skip


def _t5(tokenizer: T5Tokenizer) -> T5EncoderModel:
    return T5EncoderModel(T5Config(
        vocab_size=64 * math.ceil(len(tokenizer) / 64), d_model=JOINT_DIM, d_kv=64, num_heads=3, d_ff=512,
        num_layers=2, feed_forward_proj="gated-gelu", dropout_rate=0.0, relative_attention_max_distance=MAX_TOKENS,
        relative_attention_num_buckets=16, tie_word_embeddings=True,
    ))  # fmt: skip


class TextEncoders(nn.Module):
    """Tokenizers and encoders together, called the way the pipeline calls them."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        self.clip_tokenizer = train_clip_tokenizer(texts)
        self.t5_tokenizer = train_t5_tokenizer(texts)
        self.clip_l = _clip(self.clip_tokenizer, 128)
        self.clip_g = _clip(self.clip_tokenizer, 64)
        self.t5 = _t5(self.t5_tokenizer)

    def tokenize(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids for the CLIP encoders and for T5, both padded to 32."""
        clip, t5 = (
            tokenizer(list(prompts), padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt")
            for tokenizer in (self.clip_tokenizer, self.t5_tokenizer)
        )
        return clip.input_ids, t5.input_ids

    def forward(self, clip_ids: Tensor, t5_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Token features (N, 64, 192) and pooled features (N, 192), as in `encode_prompt` of the pipeline."""
        outputs = [encoder(clip_ids, output_hidden_states=True) for encoder in (self.clip_l, self.clip_g)]
        tokens = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        pooled = torch.cat([output.text_embeds for output in outputs], dim=-1)
        return torch.cat([tokens, self.t5(t5_ids)[0]], dim=1), pooled


class AttributeProbe(nn.Module):
    """Reads every attribute from the text features: the task of the short text warm-up."""

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.heads = nn.ModuleList([nn.Linear(JOINT_DIM, sum(sizes.values())) for _ in range(3)])

    def forward(self, tokens: Tensor, pooled: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """Summed cross-entropy of the pooled, the CLIP and the T5 features."""
        views = (pooled, tokens[:, :MAX_TOKENS].mean(1), tokens[:, MAX_TOKENS:].mean(1))
        loss = tokens.new_zeros(())
        for head, view in zip(self.heads, views, strict=True):
            logits = head(view).float().split(list(self.sizes.values()), dim=-1)
            loss = loss + sum(
                F.cross_entropy(part, targets[name]) for name, part in zip(self.sizes, logits, strict=True)
            )
        return loss
