"""How many pictures it will be and how long they take, and the button that begins."""

from __future__ import annotations

import streamlit as st

from pipeline.compare.grid import Comparison
from pipeline.errors import DarkroomError
from pipeline.models.hosted import HostedModel
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui.parts import problems, text
from ui.parts.compare import actions, form


def draw(studio: Studio, client: str) -> None:
    """The line and the button, and between them what is wrong that has no other place."""
    with st.container(key="compare-foot"):
        problems.elsewhere()
        words, ready = st.columns([3, 1], vertical_alignment="center")
        try:
            comparison = form.without_prompt(st.session_state)
            told, vain = summary(studio, client, comparison), ignored(studio, comparison)
        except DarkroomError:  # which is told at its field
            told, vain = "", []
        notes = "".join(f'<p class="tokens over">{text.plain(note)}</p>' for note in vain)
        words.html(f'<div role="status"><p class="tally">{text.plain(told)}</p>{notes}</div>')
        ready.button(
            "Make the pictures",
            type="primary",
            icon=":material/flare:",
            key="compare-start",
            width="stretch",
            on_click=actions.start,
            args=(studio, client),
        )


def ignored(studio: Studio, comparison: Comparison) -> list[str]:
    """A sentence for each setting that a hosted model among others does not use."""
    asked = [(studio.model(cell.request.model), cell.request) for cell in comparison.cells()]
    told = [note for model, wish in asked if isinstance(model, HostedModel) for note in model.ignored(wish)]
    return list(dict.fromkeys(told))


def summary(studio: Studio, client: str, comparison: Comparison) -> str:
    """Such as `3 × 4 = 12 pictures, about 40 s`."""
    across, down = comparison.shape
    count = across * down
    tally = f"{across} × {down} = {count} pictures" if comparison.rows else f"{count} pictures"
    tally = "1 picture" if count == 1 else tally
    seconds = _seconds(studio, client, comparison)
    return f"{tally}, {text.duration(seconds)}" if seconds else tally


def _seconds(studio: Studio, client: str, comparison: Comparison) -> float | None:
    """What all pictures take by earlier ones; None where that is not known of each."""
    known: dict[tuple[object, ...], float | None] = {}
    total = 0.0
    for cell in comparison.cells():
        wish = cell.request
        kind = wish.model, wish.num_inference_steps, wish.guidance_scale, wish.width, wish.height, wish.quantization
        if kind not in known:
            known[kind] = _estimated(studio, client, cell.request)
        seconds = known[kind]
        if seconds is None:
            return None
        total += seconds
    return total


def _estimated(studio: Studio, client: str, request: GenerationRequest) -> float | None:
    try:
        return studio.estimate(request, client=client).seconds
    except DarkroomError:  # which is told when it is asked for
        return None
