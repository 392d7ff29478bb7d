"""The maps of the form as data."""

from __future__ import annotations

from pipeline.models.controlnets import ControlNets
from pipeline.models.registry import Registry
from pipeline.request import parse_request
from ui import form, maps

REGISTRY, NETS = Registry.read(), ControlNets.read()
DEMO, SD15 = REGISTRY.find("demo"), REGISTRY.find("stable-diffusion-v1-5/stable-diffusion-v1-5")
ONE, TWO = ("a" * 64 + "-256x256", "b" * 64 + "-256x256")
MAX_PIXELS = 4_194_304


def test_the_form_makes_the_maps_of_a_request_again() -> None:
    uses = [
        {"net": "demo-canny", "image": ONE, "scale": 0.7, "start": 0.1, "end": 0.5},
        {"net": "demo-canny", "image": TWO},
    ]
    request = parse_request(prompt="a house", controls=uses)
    filled = form.filled(request, DEMO, MAX_PIXELS)
    assert form.to_request(filled, DEMO).controls == request.controls


def test_another_map_leaves_those_that_are_there() -> None:
    [net, *_] = maps.offered(NETS, DEMO)
    first = form.blank(DEMO) | {"prompt": "a house"}
    first |= maps.added(first, net, ONE, ())
    second = first | maps.added(first, net, TWO, ())
    assert [use.image for use in form.to_request(second, DEMO).controls] == [ONE, TWO]
    alone = second | {"maps": second["maps"][1:]}
    assert [use.image for use in form.to_request(alone, DEMO).controls] == [TWO]
    assert maps.added(alone, net, ONE, ())["maps"] != second["maps"]


def test_a_model_is_sent_only_what_it_can_follow() -> None:
    hunyuan, cascade = REGISTRY.find("hunyuan"), REGISTRY.find("stable-cascade")
    use = {"net": "demo-canny", "image": ONE, "start": 0.2, "end": 0.8}
    filled = form.filled(parse_request(prompt="a house", controls=[use]), DEMO, MAX_PIXELS)
    [sent] = form.to_request(filled | form.defaults(hunyuan), hunyuan).controls
    assert (sent.start, sent.end) == (0.0, 1.0)
    assert form.to_request(filled | form.defaults(cascade), cascade).controls == ()


def test_nets_for_edges_come_first_where_none_is_here() -> None:
    offered = maps.offered(NETS, SD15)
    assert maps.finds_edges(offered[0])
    assert not maps.finds_edges(offered[-1])
