"""The maps that a picture is to follow, as fields of the form. Knows no Streamlit.

The form has a number for each map, in `maps`, and the fields of map *n* under `key(name, n)`.
"""

from __future__ import annotations

from typing import Any, Literal

from pipeline.models.controlnets import FAMILIES, ControlNetRecord, ControlNets
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.pictures.edges import HIGH, LOW
from pipeline.request import GenerationRequest
from ui.fields import Fields

Name = Literal["net", "picture", "edges", "between", "size", "image", "notes", "scale", "span"]
"""The net, the picture that was brought along, whether its edges are found, between which thresholds and at which size,
the map that comes of it, what was done to the picture, how strongly the map is followed, and in which steps."""
ALL = (0.0, 1.0)
"""Every step."""


def key(name: Name, number: int) -> str:
    """Under which the form has that field of a map."""
    return f"map_{name}_{number}"


def none() -> dict[str, Any]:
    """The fields about maps, when there is none."""
    return {"maps": ()}


def added(form: Fields, net: ControlNetRecord, picture: str, notes: tuple[str, ...]) -> dict[str, Any]:
    """What changes in the form when `net` is to follow `picture` too: its edges, if the net knows edges."""
    number = max(form["maps"], default=-1) + 1
    return {"maps": (*form["maps"], number)} | _fields(
        number,
        net=net.id,
        picture=picture,
        edges=finds_edges(net),
        between=(LOW, HIGH),
        size=None,
        image=picture,
        notes=notes,
        scale=1.0,
        span=ALL,
    )


def offered(nets: ControlNets, record: Model) -> list[ControlNetRecord]:
    """The nets for a model: those that are on this computer first, and of these the ones for edges, which any picture
    has."""
    if isinstance(record, HostedModel):
        return []
    return sorted(nets.fitting(record), key=lambda net: (net.place is None, not finds_edges(net)))


def finds_edges(net: ControlNetRecord) -> bool:
    """Whether edges are a map for the net, as far as anybody knows."""
    return not net.maps or "canny" in net.maps


def filled(request: GenerationRequest) -> dict[str, Any]:
    """The fields that would make the maps of `request` again: as they are, for nobody knows what they were made of."""
    form: dict[str, Any] = {"maps": tuple(range(len(request.controls)))}
    for number, use in enumerate(request.controls):
        form |= _fields(
            number,
            net=use.net,
            picture=use.image,
            edges=False,
            between=(LOW, HIGH),
            size=None,
            image=use.image,
            notes=(),
            scale=use.scale,
            span=(use.start, use.end),
        )
    return form


def to_controls(form: Fields, record: ModelRecord) -> list[dict[str, Any]]:
    """The `controls` of a request; none for a model that follows no maps."""
    family = FAMILIES.get(record.family)
    if family is None:
        return []
    return [_use(form, number, timed=family.timed) for number in form["maps"]]


def _use(form: Fields, number: int, *, timed: bool) -> dict[str, Any]:
    start, end = form[key("span", number)] if timed else ALL
    plain: dict[str, Any] = {name: form[key(name, number)] for name in ("net", "image", "scale")}
    return plain | {"start": start, "end": end}


def _fields(number: int, **values: Any) -> dict[str, Any]:
    return {f"map_{name}_{number}": value for name, value in values.items()}
