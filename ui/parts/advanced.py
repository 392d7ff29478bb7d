"""The settings that few people touch: scheduler, precision, offload, LoRAs and another VAE, as the model takes them."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pipeline.models import schedulers
from pipeline.models.own import extras
from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio
from ui import form
from ui.fields import KEEP
from ui.parts import problems, text

state = st.session_state

QUANTIZATION = {
    "auto": "Automatic",
    "none": "None, full precision",
    "nf4": "NF4, four bits",
    "nf4-full": "NF4, every layer of T5 too",
    "int8": "INT8, eight bits",
}
OFFLOAD = {
    "auto": "Automatic",
    "none": "None, all on the GPU",
    "model": "Model by model",
    "group": "Group by group",
    "sequential": "Layer by layer, slowest",
}


def draw(studio: Studio, record: ModelRecord) -> None:
    """The closed box at the end of the form; its label tells how much in it is not as it comes."""
    changed = form.changed(state, record)
    with st.expander("Advanced" + (f" · {changed} changed" if changed else ""), key="advanced"):
        _scheduler(record)
        if record.nf4:
            _precision(record)
        if studio.engine.hardware.gpus:
            _offload()
        _loras(studio, record)
        _vae(studio, record)


def _scheduler(record: ModelRecord) -> None:
    """How noise is taken away from step to step; only where there is a choice."""
    names = schedulers.of(record)
    if len(names) < 2:
        return
    own = f"{schedulers.label(names[0])}, the model's own"
    options = dict.fromkeys([form.OWN, *names[1:], state.scheduler])
    advice = "How noise becomes a picture, step by step. Another one draws another picture from the same seed."
    st.selectbox(
        "Scheduler",
        options,
        key="scheduler",
        format_func=lambda name: schedulers.label(name) if name else own,
        help=advice,
        **KEEP,
    )
    problems.under("scheduler")


def _precision(record: ModelRecord) -> None:
    words = {name: said for name, said in QUANTIZATION.items() if name != "nf4-full" or form.has_kept_layers(record)}
    _choice(
        "Quantisation",
        words,
        "quantization",
        f"Fewer bits need less memory. Automatic follows the model's advice ({QUANTIZATION[record.quantization]}) "
        "and the memory that is there.",
    )
    if components := form.components(record):
        with st.expander("Each component", type="compact", key="precisions"):
            for name in components:
                _choice(name.replace("_", " ").capitalize(), words, form.precision_key(name))
    problems.under("quantization", "component_quantization")


def _offload() -> None:
    advice = "Where weights rest while they are not needed. Automatic keeps all on the GPU where that fits."
    _choice("Offload", OFFLOAD, "offload", advice)
    problems.under("offload")


def _choice(label: str, words: Mapping[str, str], key: str, advice: str | None = None) -> None:
    """A select box of named values; one that came with a reused request is kept although it is not offered."""
    state.setdefault(key, "auto")
    options = dict.fromkeys([*words, state[key]])
    known = QUANTIZATION | OFFLOAD | dict(words)
    st.selectbox(label, options, key=key, format_func=lambda value: known[value], help=advice, **KEEP)


def _loras(studio: Studio, record: ModelRecord) -> None:
    fitting = {file.name: file for file in extras.fitting(record, studio.models.shelf.loras())}
    options = list(dict.fromkeys([*fitting, *state.loras]))
    if not options:
        return
    st.multiselect("LoRAs", options, key="loras", placeholder="None", help="Small changes to the model.", **KEEP)
    for name in state.loras:
        key = form.weight_key(name)
        weight = state.setdefault(key, 1.0)
        label = f"Weight of {text.escaped(name)}"
        st.slider(label, min(-1.0, weight), max(2.0, weight), step=0.05, key=key, **KEEP)
        if name in fitting and fitting[name].kind.triggers:
            st.caption("It answers to: " + text.escaped(", ".join(fitting[name].kind.triggers)))
    problems.under("loras")


def _vae(studio: Studio, record: ModelRecord) -> None:
    fitting = [file.name for file in extras.fitting(record, studio.models.shelf.vaes())]
    options = list(dict.fromkeys([None, *fitting, state.vae]))
    if len(options) == 1:
        return
    own = "The model's own"
    st.selectbox("VAE", options, key="vae", format_func=lambda name: name or own, placeholder=own, **KEEP)
    problems.under("vae")
