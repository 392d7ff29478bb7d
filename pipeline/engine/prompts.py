"""Weighted prompts: parts of a prompt that count more or less, as `pipeline.models.emphasis` reads them.

compel does the weighting: a part above 1 is moved away from what an empty prompt encodes to, one below 1 is blended
with an encoding from which it is masked out. Only its embedding provider is used, which takes parts and weights; its
own syntax, and its classes for whole pipelines, which do not know SD3, are not.

A prompt without weights goes to the pipeline as it is, so its picture has the same bytes as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from compel.embeddings_provider import EmbeddingsProvider, ReturnedEmbeddingsType

from pipeline.models import emphasis
from pipeline.models.registry import ModelRecord

_LAST = ReturnedEmbeddingsType.LAST_HIDDEN_STATES_NORMALIZED
_PENULTIMATE = ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
_T5_TOKENS = {"sd3": 256, "flux": 512}
"""Tokens that T5 reads when the record does not say."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What to call a pipeline with instead of `prompt` and `negative_prompt`."""

    arguments: dict[str, Any]
    note: str = ""
    """A sentence for the person; empty when there is nothing to say."""


def encoded(pipeline: Any, record: ModelRecord, prompt: str, negative_prompt: str = "") -> Encoded:
    """The pipeline's arguments for both prompts, of which the negative one is left out when it is empty.

    For a model that takes no weights they stay as they are, with a sentence when they look weighted.
    """
    texts = {"": prompt} | ({"negative_": negative_prompt} if negative_prompt else {})
    if not emphasis.takes_weights(record):
        literal = any(emphasis.is_weighted(text) for text in texts.values())
        note = f"{record.name} takes no prompt weights: brackets and numbers in the prompt are read as they stand."
        return Encoded({f"{side}prompt": text for side, text in texts.items()}, note if literal else "")
    arguments: dict[str, Any] = {}
    for side, text in texts.items():
        if emphasis.is_weighted(text):
            arguments |= {f"{side}{name}": tensor for name, tensor in _weighted(pipeline, record, text).items()}
        else:
            arguments[f"{side}prompt"] = emphasis.plain(text)
    return Encoded(arguments)


@torch.no_grad()
def _weighted(pipeline: Any, record: ModelRecord, prompt: str) -> dict[str, torch.Tensor]:
    """`prompt_embeds` and, where the family has it, `pooled_prompt_embeds`; the pooled one cannot be weighted."""
    pieces = [piece for piece in emphasis.pieces(prompt) if piece.text.strip()]
    plain = emphasis.plain(prompt)
    room = int(record.arguments.get("max_sequence_length", _T5_TOKENS.get(record.family, 0)))
    own = _unweighted(pipeline, record.family, plain, room)
    whole = own["prompt_embeds"]
    if record.family == "flux":
        made = _embeds(pipeline, "_2", pieces, _LAST, room)
    elif record.family == "sdxl":
        made = _both_clips(pipeline, pieces)
    elif record.family == "sd3":
        clips = _both_clips(pipeline, pieces)
        clips = torch.nn.functional.pad(clips, (0, whole.shape[-1] - clips.shape[-1])).to(whole)
        long = (
            whole[:, clips.shape[1] :]
            if pipeline.text_encoder_3 is None
            else _embeds(pipeline, "_3", pieces, _LAST, room)
        )
        made = torch.cat([clips, long.to(whole)], dim=1)
    else:
        made = _embeds(pipeline, "", pieces, _LAST)
    return own | {"prompt_embeds": made.to(whole)}


def _unweighted(pipeline: Any, family: str, prompt: str, room: int) -> dict[str, torch.Tensor]:
    """What the pipeline itself makes of the prompt."""
    device = pipeline._execution_device
    if family == "flux":
        embeds, pooled, _ = pipeline.encode_prompt(prompt, None, device=device, max_sequence_length=room)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    if family == "sd3":
        embeds, _, pooled, _ = pipeline.encode_prompt(
            prompt, None, None, device=device, do_classifier_free_guidance=False, max_sequence_length=room
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    if family == "sdxl":
        embeds, _, pooled, _ = pipeline.encode_prompt(prompt, device=device, do_classifier_free_guidance=False)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    embeds, _ = pipeline.encode_prompt(prompt, device, 1, False)
    return {"prompt_embeds": embeds}


def _both_clips(pipeline: Any, pieces: list[emphasis.Piece]) -> torch.Tensor:
    both = (_embeds(pipeline, ending, pieces, _PENULTIMATE) for ending in ("", "_2"))
    return torch.cat(list(both), dim=-1)


def _embeds(
    pipeline: Any, ending: str, pieces: list[emphasis.Piece], layer: ReturnedEmbeddingsType, room: int | None = None
) -> torch.Tensor:
    """Weighted embeddings by the text encoder with that `ending` of its name: (1, tokens, width)."""
    device = pipeline._execution_device
    provider = EmbeddingsProvider(
        tokenizer=getattr(pipeline, f"tokenizer{ending}"),
        text_encoder=_Encoder(getattr(pipeline, f"text_encoder{ending}"), device),
        returned_embeddings_type=layer,
        model_max_length=room,
        device=device,
    )
    embeds: torch.Tensor = provider.get_embeddings_for_weighted_prompt_fragments(
        [[piece.text for piece in pieces]], [[piece.weight for piece in pieces]], device=device
    )
    return embeds


class _Encoder:
    """A text encoder that says where it computes. With offload its weights rest elsewhere, or on no device at all, and
    compel would send the result there."""

    def __init__(self, encoder: Any, device: torch.device) -> None:
        self._encoder = encoder
        self.device, self.dtype = device, encoder.dtype

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._encoder(*args, **kwargs)
