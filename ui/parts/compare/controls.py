"""The form: what is compared, and what stays the same in every picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from pipeline.models import schedulers
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.request import MAX_SEED
from pipeline.studio import Studio
from ui import form as single
from ui.fields import KEEP
from ui.parts import one_of, problems, text
from ui.parts.compare import actions, axes, choices, form

state = st.session_state

_ABOUT: dict[form.Way, str] = {
    "models": "One prompt, several models. Those that run here are loaded one after the other.",
    "grid": "One prompt, and one or two settings that go through several values.",
    "lab": "The same seed at full precision and with fewer bits: what they save, and what they change.",
}


def ways() -> None:
    """The choice of what kind of comparison it is."""
    one_of.draw("What to compare", form.WAYS, "compare_way", labelled=False, wide=False)


def draw(studio: Studio) -> None:
    """Everything below that choice."""
    st.html(f'<p class="row lead">{_ABOUT[state.compare_way]}</p>')
    records = _records(studio)
    record = records[0] if records else studio.default.record
    if state.compare_way == "grid":
        _prompt_and_model(studio, record, choices.models(studio))
        axes.draw(studio, record)
    elif state.compare_way == "models":
        _prompt_and_models(studio, record)
    elif isinstance(record, ModelRecord):
        _prompt_and_model(studio, record, choices.checkpoints(studio))
        _precisions(studio, record)
    _settings(studio, records or [record])
    _more(records or [record])


def _records(studio: Studio) -> list[Model]:
    """The models that take part."""
    return [studio.model(name) for name in form.models(state)]


def _here(records: Iterable[Model]) -> list[ModelRecord]:
    """Those that run here."""
    return [record for record in records if isinstance(record, ModelRecord)]


def _prompt_and_model(studio: Studio, record: Model, names: Mapping[str, str]) -> None:
    wide, narrow = st.columns([3, 2], gap="medium")
    with wide:
        _prompt(record)
    with narrow:
        if "model" in form.sides(state):
            st.html('<p class="card">The models are compared.</p>')
            return
        st.selectbox("Model", names, key="compare_model", format_func=lambda name: names[name], **KEEP)
        st.html(_facts(studio, record))
        problems.under("model")


def _prompt_and_models(studio: Studio, record: Model) -> None:
    wide, narrow = st.columns([3, 2], gap="medium")
    with wide:
        _prompt(record)
    with narrow:
        names, key = choices.models(studio), form.values_key("columns", "model")
        st.multiselect("Models", names, key=key, format_func=lambda name: names[name], placeholder="Choose", **KEEP)
        st.container().html("".join(_facts(studio, studio.model(name), name=True) for name in state[key]))
        _not_agreed(studio)
        problems.under(key, "model")


def _not_agreed(studio: Studio) -> None:
    """Who could take part as well."""
    place = st.container()
    if waiting := choices.not_agreed(studio):
        words = f"Prompts would go to {' and '.join(waiting)}: agree to that on the page Models to have them take part."
        place.html(f'<p class="card">{text.plain(words)}</p>')


def _prompt(record: Model) -> None:
    hint = next(iter(record.examples), None)
    st.text_area("Prompt", key="compare_prompt", height=110, placeholder=hint, **KEEP)
    problems.under("prompt")


def _facts(studio: Studio, record: Model, *, name: bool = False) -> str:
    """Whether a model fits here and what must be downloaded before, or who makes its pictures, in one line."""
    if isinstance(record, HostedModel):
        provider = studio.hosted.provider(record).name
        told = f"{record.name}: hosted by {provider}" if name else f"Hosted by {provider}: prompts go there"
        return f'<p class="plan fits"><i></i><span>{text.plain(told)}</span></p>'
    found = choices.plan(studio, record.id)
    if found is None:
        return ""
    away = f" To download first: {text.size(found.download_bytes)}." if found.download_bytes else ""
    told = f"{found.sentence}.{away}"
    words = f"{record.name}: {told[0].lower()}{told[1:]}" if name else told
    kind = "fits" if found.fits else "tight"
    return f'<p class="plan {kind}" title="{text.plain(found.reason)}"><i></i><span>{text.plain(words)}</span></p>'


def _precisions(studio: Studio, record: ModelRecord) -> None:
    """Which precisions the lab compares; what this device cannot do is shown, with the reason."""
    key = form.values_key("columns", "quantization")
    offers = choices.precisions(studio, record)
    state[key] = [name for name in state[key] if name in offers and offers[name].possible]
    st.html('<p class="label">Precisions</p>')
    with st.container(key="precisions-offered"):
        for place, (name, offer) in zip(st.columns(len(offers)), offers.items(), strict=True):
            with place, st.container(gap="xxsmall"):
                box = form.box_key(name)
                state[box] = name in state[key]
                st.checkbox(offer.label, key=box, disabled=not offer.possible, on_change=actions.tick)
                st.html(f'<p class="card">{text.plain(offer.note)}</p>')
    problems.under(key, "quantization")
    if all(device.kind == "cpu" for device in studio.engine.hardware.devices):
        st.html('<p class="card">On a processor fewer bits save memory, not time.</p>')


def _settings(studio: Studio, records: list[Model]) -> None:
    """Steps, guidance, size and seed, as far as they are not compared and the models leave a choice."""
    compared, here = form.sides(state), _here(records)
    fields: list[Callable[[], None]] = []
    if "num_inference_steps" not in compared and any(map(single.takes_steps, here)):
        fields.append(lambda: _steps(here))
    if "guidance_scale" not in compared and any(map(single.takes_guidance, here)):
        fields.append(lambda: _guidance(here))
    fields.append(lambda: _size(studio, records))
    if "seed" not in compared and any(isinstance(record, ModelRecord) or record.seed for record in records):
        fields.append(_seed)
    for place, field in zip(st.columns(len(fields), gap="medium"), fields, strict=True):
        with place:
            field()


def _steps(records: list[ModelRecord]) -> None:
    own, least = _own(f"{record.steps.default}" for record in records), max(record.steps.min for record in records)
    st.number_input("Steps", least, 1000, None, 1, key="compare_steps", placeholder=own, **KEEP)
    problems.under("num_inference_steps")


def _guidance(records: list[ModelRecord]) -> None:
    own = _own(f"{record.guidance.default:g}" for record in records)
    st.number_input("Guidance", 0.0, 100.0, None, 0.5, key="compare_guidance", placeholder=own, **KEEP)
    problems.under("guidance_scale")


def _size(studio: Studio, records: list[Model]) -> None:
    sizes = form.sizes(records, studio.settings.max_pixels)
    if state.compare_size not in sizes:
        state.compare_size = form.OWN
    st.selectbox("Size", sizes, key="compare_size", format_func=lambda size: sizes[size], **KEEP)
    problems.under("width", "height")


def _seed() -> None:
    hint, advice = "Random, the same for all", "Every picture has the same seed."
    st.number_input("Seed", 0, MAX_SEED, None, 1, key="compare_seed", placeholder=hint, help=advice, **KEEP)
    problems.under("seed")


def _own(values: Iterable[str]) -> str:
    """What stands in an empty field: that each model does what it does by itself, and what that is."""
    different = list(dict.fromkeys(values))
    return f"{different[0]}, the model's own" if len(different) == 1 else "Each model's own"


def _more(records: list[Model]) -> None:
    """What few people touch, and what a file brought along."""
    compared, here = form.sides(state), _here(records)
    with st.expander("More settings", type="compact", key="compare-more"):
        if any(record.negative_prompt for record in records):
            st.text_input("Negative prompt", key="compare_negative", **KEEP)
        left, right = st.columns(2)
        if here and "scheduler" not in compared:
            names = _schedulers(here)
            if state.compare_scheduler not in names:
                state.compare_scheduler = ""
            left.selectbox("Scheduler", names, key="compare_scheduler", format_func=lambda name: names[name], **KEEP)
        if here and "quantization" not in compared:
            words = {"auto": "Automatic", **form.PRECISIONS}
            right.selectbox(
                "Quantisation", words, key="compare_quantization", format_func=lambda name: words[name], **KEEP
            )
        problems.under("negative_prompt", "scheduler", "quantization")
        _kept()


def _schedulers(records: list[ModelRecord]) -> dict[str, str]:
    """Those that every one of the models can use; the first is each model's own."""
    shared = [name for name in schedulers.of(records[0]) if all(name in schedulers.of(other) for other in records)]
    return {"": "The model's own"} | {name: schedulers.label(name) for name in shared}


def _kept() -> None:
    if not state.compare_kept:
        return
    told = ", ".join(name.replace("_", " ") for name in state.compare_kept)
    st.html(f'<p class="card">As in the comparison that this began with: {text.plain(told)}.</p>')
    st.button("Drop these", key="compare-drop", on_click=actions.drop_kept)
