"""The tokenizers of the tiny checkpoints: each family's own class, with a vocabulary of single characters."""

from __future__ import annotations

import io
import json
import string
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GemmaTokenizer,
    GPT2Tokenizer,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    T5Tokenizer,
)

PRINTABLE = [chr(code) for code in range(33, 127)]


def clip_tokenizer(max_length: int = 77) -> CLIPTokenizer:
    """CLIP's own tokenizer with a vocabulary of bytes only: every letter is a token."""
    alphabet = sorted(ByteLevel.alphabet())
    words = [*alphabet, *(f"{byte}</w>" for byte in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab=_numbered(words), merges=[], model_max_length=max_length)


def t5_tokenizer(max_length: int = 512) -> T5Tokenizer:
    """T5's own tokenizer with a vocabulary of printable characters only."""
    characters = [(character, -4.0) for character in PRINTABLE]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *characters]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=max_length)


def gemma_tokenizer(padding_side: str = "left") -> GemmaTokenizer:
    """Gemma's own tokenizer with printable characters, and bytes for the rest: one `<bos>`, then a token a letter. As
    in the original a space and the letter that follows are one token."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    merges = [("▁", letter) for letter in string.ascii_letters]
    words = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *PRINTABLE, *map("".join, merges)]
    return GemmaTokenizer(vocab=_numbered(words), merges=merges, padding_side=padding_side, add_bos_token=True)


def glm_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer put together like that of GLM-4: bytes, each prompt begun with `[gMASK]<sop>`, padded on the left."""
    special = ["<|endoftext|>", "[gMASK]", "<sop>"]
    vocabulary = _numbered([*sorted(ByteLevel.alphabet()), *special])
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[gMASK]:0 <sop>:0 $A:0",
        pair="[gMASK]:0 <sop>:0 $A:0 $B:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[gMASK]", "<sop>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )


def bert_tokenizer(max_length: int = 77) -> BertTokenizer:
    """BERT's own tokenizer with small letters, digits and punctuation only: every letter is a token."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = string.ascii_lowercase + string.digits
    words = [*special, *letters, *(f"##{letter}" for letter in letters), *string.punctuation]
    return BertTokenizer(vocab=_numbered(words), model_max_length=max_length)


def keep_sentencepiece_only(folder: Path) -> None:
    """Give a saved `t5_tokenizer` the files that PixArt, CogView3-Plus and Hunyuan-DiT were published with:
    `spiece.model`, which transformers converts when it loads them, and no `tokenizer.json`."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(PRINTABLE)]),
        model_writer=model,
        vocab_size=len(PRINTABLE) + 4,
        max_sentencepiece_length=1,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_piece="<pad>",
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(model.getvalue())
    (folder / "tokenizer.json").unlink()


def keep_word_list_only(folder: Path) -> None:
    """Give a saved `bert_tokenizer` the files that Hunyuan-DiT was published with: `vocab.txt`, a word a line."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), encoding="utf-8")
    (folder / "tokenizer.json").unlink()


def qwen_tokenizer() -> Qwen2Tokenizer:
    """Qwen's own tokenizer with bytes, the marks of its chat template, and the words of the instruction that
    Qwen-Image puts before every prompt: its pipeline drops the first 34 tokens."""
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = [*sorted(ByteLevel.alphabet()), *marks]
    tokenizer = Qwen2Tokenizer(vocab=_numbered(words), merges=[], additional_special_tokens=marks[1:])
    instruction = "the image by detailing color shape size texture quantity text spatial relationships of objects and"
    tokenizer.add_tokens(["system", "Describe", "user", *(f" {word}" for word in [*instruction.split(), "background"])])
    return tokenizer


def gpt2_tokenizer() -> GPT2Tokenizer:
    """GPT-2's own tokenizer with bytes only."""
    return GPT2Tokenizer(vocab=_numbered([*sorted(ByteLevel.alphabet()), "<|endoftext|>"]), merges=[])


def _numbered(words: list[str]) -> dict[str, int]:
    return {word: index for index, word in enumerate(words)}
