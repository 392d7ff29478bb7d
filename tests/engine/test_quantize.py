"""bitsandbytes really runs on this processor: fewer bytes, and still a picture."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt

from pipeline.engine import Engine
from pipeline.engine.quantize import component_use
from pipeline.events import Warned
from pipeline.models.registry import ModelRecord
from tests.engine.conftest import BFLOAT16, Run

Runner = Callable[..., Run]


@pytest.mark.parametrize(("quantization", "layer", "most"), [("nf4", Linear4bit, 0.20), ("int8", Linear8bitLt, 0.30)])
def test_quantised_float32_weights_shrink_and_draw(
    run: Runner, engine: Engine, quantization: str, layer: type, most: float
) -> None:
    plain = run()
    made = run(quantization=quantization)
    recipe = made.pictures[0].recipe
    use, before = recipe.components["transformer"], plain.pictures[0].recipe.components["transformer"]
    assert any(type(module) is layer for module in engine._loaded.pipeline.transformer.modules())
    assert recipe.quantization == use.quantization == quantization
    assert use.parameters == before.parameters
    assert use.bytes_before == before.bytes_after
    # SD3's table of positions is no weight, and never quantised.
    table = sum(buffer.nbytes for buffer in engine._loaded.pipeline.transformer.buffers())
    assert use.bytes_after - table < most * (use.bytes_before - table)
    assert made.digests != plain.digests
    assert len(set(made.pictures[0].rgb)) > 50


@pytest.mark.parametrize(("quantization", "most"), [("nf4", 0.35), ("int8", 0.60)])
def test_quantised_bfloat16_weights_shrink_and_draw(
    run: Runner, sd35: ModelRecord, quantization: str, most: float
) -> None:
    recipe = run(record=sd35, quantization=quantization).pictures[0].recipe
    assert recipe.dtype == BFLOAT16
    assert recipe.components["transformer"].bytes_after < most * recipe.components["transformer"].bytes_before
    assert recipe.components["text_encoder_3"].quantization == quantization
    assert recipe.components["text_encoder"].quantization == "none"
    assert recipe.components["vae"].bytes_after == recipe.components["vae"].bytes_before


def test_quantised_pictures_are_the_same_every_time(run: Runner) -> None:
    assert run(quantization="nf4").digests == run(quantization="nf4").digests


def test_bitsandbytes_says_nothing(run: Runner, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(quantization="nf4").of(Warned) == []
    assert capfd.readouterr() == ("", "")


def test_a_plain_component_is_measured_as_it_is(engine: Engine, demo: ModelRecord) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4, affine=False))
    use = component_use(model)
    assert use.parameters == 20
    assert use.bytes_before == use.bytes_after == 20 * 4 + 2 * 4 * 4 + 8
