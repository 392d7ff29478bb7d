"""The settings that few people touch: scheduler, precision, offload, LoRAs and another VAE, as the model takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pipeline.models import schedulers
from pipeline.models.own import extras
from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio
from ui import form
from ui.fields import KEEP
from ui.parts import problems, sampling, text

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
    """The closed box at the end of the form."""
    with _box(form.changed(state, record)):
        sampling.scheduler(schedulers.of(record))
        if record.nf4:
            _precision(record)
        if studio.engine.hardware.gpus:
            _offload()
        _loras(studio, record)
        _vae(studio, record)


def scheduler_alone(names: Sequence[str]) -> None:
    """The box of a model of another Darkroom, which leaves no more of this to choose; only where that is a choice."""
    if len(names) > 1:
        with _box(int(state.scheduler != form.OWN)):
            sampling.scheduler(names)


def _box(changed: int) -> DeltaGenerator:
    """Closed at first; its label tells how much in it is not as it comes."""
    return st.expander("Advanced" + (f" · {changed} changed" if changed else ""), key="advanced")


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
