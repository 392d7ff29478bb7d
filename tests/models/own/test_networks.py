"""Which network a file is for, from nothing but names and shapes."""

from __future__ import annotations

import pytest

from pipeline.models.header import Header, TensorFacts
from pipeline.models.own.identify import identify
from pipeline.models.own.networks import Network, Shapes, network_of, renamed
from tests.models.weight_files import COMPACT


def facts(shapes: Shapes) -> dict[str, TensorFacts]:
    return {name: TensorFacts("F16", shape) for name, shape in shapes.items()}


def test_compact_tells_its_factor_width_and_depth() -> None:
    assert network_of(facts(COMPACT)) == Network("compact", factor=2, features=4, blocks=1)


@pytest.mark.parametrize("change", [{"extra.weight": (1,)}, {"body.2.weight": (4, 4, 5, 5)}, {"body.4.bias": (13,)}])
def test_a_file_that_is_not_exactly_the_network_is_none(change: Shapes) -> None:
    assert network_of(facts(COMPACT | change)) is None


def test_a_file_that_lacks_a_layer_is_none() -> None:
    assert network_of(facts({name: shape for name, shape in COMPACT.items() if name != "body.2.bias"})) is None


def test_a_network_that_does_not_enlarge_is_refused() -> None:
    same_size = COMPACT | {"body.4.weight": (3, 4, 3, 3), "body.4.bias": (3,)}
    kind = identify(Header(facts(same_size), {}, 0))
    assert (kind.kind, kind.factor, kind.refusal) == ("upscaler", 1, "mends pictures without making them larger")


@pytest.mark.parametrize(
    "names",
    [
        {"model.0": "conv_first", "model.1.sub.0.RDB1.conv1.0": "body.0.rdb1.conv1", "model.1.sub.1": "conv_body",
         "model.3": "conv_up1", "model.6": "conv_up2", "model.8": "conv_hr", "model.10": "conv_last"},
        {"RRDB_trunk.0.RDB1.conv1": "body.0.rdb1.conv1", "trunk_conv": "conv_body", "upconv1": "conv_up1",
         "HRconv": "conv_hr", "conv_last": "conv_last"},
        {"body.0.rdb1.conv1": "body.0.rdb1.conv1", "conv_up1": "conv_up1"},
    ],
)  # fmt: skip
def test_the_three_ways_in_which_esrgan_calls_its_parameters_are_one(names: dict[str, str]) -> None:
    endings = ("weight", "bias")
    wanted = {f"{old}.{end}": f"{new}.{end}" for old, new in names.items() for end in endings}
    assert renamed(wanted) == wanted
