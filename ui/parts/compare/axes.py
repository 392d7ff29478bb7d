"""One side of the sheet: which setting goes along it, and through which values."""

from __future__ import annotations

import streamlit as st

from pipeline.compare.grid import NAMES, AxisField
from pipeline.models import schedulers
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.studio import Studio
from ui import form as single
from ui.fields import KEEP
from ui.parts import problems
from ui.parts.compare import actions, choices, form, values

state = st.session_state

_NUMBERS_HELP = (
    "A list such as `4, 8, 16`, or a range: `4-10` is every whole number, `4-40 (+8)` goes in steps of 8, "
    "and `4-40 [5]` is five values, evenly apart."
)
_WORDS_HELP = "The first is what the prompt says; the others take its place in turn: red, blue, yellow."


def draw(studio: Studio, record: Model) -> None:
    """Both sides, beside each other."""
    across, down = st.columns(2, gap="medium")
    with across, st.container(border=True, key="compare-across"):
        _side(studio, record, "columns", "Across", "")
    with down, st.container(border=True, key="compare-down"):
        _side(studio, record, "rows", "Down", state.compare_columns)


def comparable(record: Model, taken: str = "") -> list[AxisField]:
    """The settings of which a model leaves a choice, without the one that is taken; words go with other words."""
    useful = _of_hosted(record) if isinstance(record, HostedModel) else _of_checkpoint(record)
    return [field for field in NAMES if (field != taken or field == "prompt") and useful.get(field, True)]


def _of_checkpoint(record: ModelRecord) -> dict[AxisField, bool]:
    """Whether there is anything to choose about these settings."""
    return {
        "num_inference_steps": single.takes_steps(record),
        "guidance_scale": single.takes_guidance(record),
        "scheduler": len(schedulers.of(record)) > 1,
        "quantization": bool(record.nf4),
    }


def _of_hosted(model: HostedModel) -> dict[AxisField, bool]:
    return {field: field in {"model", "prompt"} or (field == "seed" and model.seed) for field in NAMES}


def _side(studio: Studio, record: Model, side: form.Side, label: str, taken: str) -> None:
    key = f"compare_{side}"
    names: dict[str, str] = {"": "Nothing"} if side == "rows" else {}
    names |= {field: NAMES[field] for field in comparable(record, taken)}
    if state[key] not in names:
        state[key] = next(iter(names))
    st.selectbox(label, names, key=key, format_func=lambda field: names[field], **KEEP)
    place = st.container()
    if field := state[key]:
        with place:
            pick(studio, record, side, field)


def pick(studio: Studio, record: Model, side: form.Side, field: AxisField) -> None:
    """The values of a setting: typed or ticked, with what is wrong with them below."""
    key = form.values_key(side, field)
    if field in values.TYPED:
        _typed(key, field)
    else:
        _ticked(studio, record, key, field)
    problems.under(key, *([field] if field != "prompt" else []))


def _typed(key: str, field: AxisField) -> None:
    words = field == "prompt"
    hint = "red, blue, yellow" if words else "4, 8, 16"
    advice = _WORDS_HELP if words else _NUMBERS_HELP
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall", key=f"row-{key}"):
        st.text_input("Words" if words else "Values", key=key, placeholder=hint, help=advice, **KEEP)
        if field == "seed":
            st.button(
                "Draw four seeds",
                icon=":material/casino:",
                key=f"{key}-dice",
                help="Four seeds by chance",
                on_click=actions.draw_seeds,
                args=(key,),
            )


def _ticked(studio: Studio, record: Model, key: str, field: AxisField) -> None:
    names = _options(studio, record, field)
    names |= {name: name for name in state[key] if name not in names}
    st.multiselect("Values", names, key=key, format_func=lambda name: names[name], placeholder="Choose", **KEEP)


def _options(studio: Studio, record: Model, field: AxisField) -> dict[str, str]:
    if field == "model":
        return choices.models(studio)
    if isinstance(record, HostedModel):
        return {}
    if field == "scheduler":
        return {name: schedulers.label(name) for name in schedulers.of(record)}
    offers = choices.precisions(studio, record)
    return {name: offer.label for name, offer in offers.items() if offer.possible}
