"""Checkpoints shaped like the demo and SD3.5 Medium, with the registry's own records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import StableDiffusion3Pipeline

from pipeline.models.registry import ModelRecord, Registry
from tests.checkpoints import SD35
from tests.engine.conftest import BFLOAT16, Run


def test_an_sd35_shaped_pipeline_goes_end_to_end_with_its_own_record(
    run: Callable[..., Run], sd35: ModelRecord
) -> None:
    registered = Registry.read().find(SD35)
    differing = {name for name in ModelRecord.model_fields if getattr(sd35, name) != getattr(registered, name)}
    assert differing == {"source", "size"}
    [picture] = run(record=sd35, num_inference_steps=None, prompt="a red house").pictures
    assert picture.recipe.num_inference_steps == 40
    assert picture.recipe.dtype == BFLOAT16
    assert picture.recipe.arguments == {"max_sequence_length": 256}


@pytest.mark.parametrize("name", ["demo", "sd35"])
def test_tiny_checkpoints_load_plainly(name: str, request: pytest.FixtureRequest) -> None:
    record: Any = request.getfixturevalue(name)
    pipeline = StableDiffusion3Pipeline.from_pretrained(record.local, dtype=torch.float32)
    assert pipeline.text_encoder_3 is not None
    if name == "sd35":
        assert pipeline.transformer.config.dual_attention_layers == [0, 1]
        assert pipeline.vae.config.latent_channels == 16
