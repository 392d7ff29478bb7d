"""The sidebar: everything that goes into a request, and the button that makes one."""

from __future__ import annotations

import streamlit as st

from pipeline.events import SavedImage
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.models.tokens import TokenCount
from pipeline.studio import Studio
from ui import actions, either, form, hosted
from ui.fields import KEEP
from ui.parts import (
    advanced,
    chain,
    enlarge,
    estimate,
    follow,
    history,
    hosted_card,
    hosted_controls,
    ideas,
    model_card,
    one_of,
    problems,
    restore,
    sampling,
    seed,
    size,
    source,
    style,
    text,
)

state = st.session_state


def draw(studio: Studio, client: str, picture: SavedImage | None) -> Model:
    """Draw the form and return the model that is chosen in it."""
    problems.begin()
    with st.container(key="form", gap="xsmall"):
        record = studio.model(state.model)
        _prompts(studio, client, record)
        source.draw(studio, record)
        follow.draw(studio, record)
        style.draw(studio, record)
        record = model_card.draw(studio)
        if isinstance(record, HostedModel):
            hosted_controls.draw(record, picture)
            _count()
            advanced.scheduler_alone(record.schedulers)
        else:
            _settings(studio, record, picture)
    return record


def button(studio: Studio, client: str, record: Model) -> None:
    """The button that queues a job, what that would take, and the reason above it when it could not."""
    problems.elsewhere()
    agreed = hosted.agreed(studio, record)
    if agreed:
        estimate.line(studio, client, record)
    else:
        hosted_card.not_yet()
    st.button(
        "Generate image",
        type="primary",
        icon=":material/flare:",
        width="stretch",
        shortcut="Mod+Enter",
        disabled=not agreed,
        on_click=actions.generate,
        args=(studio, client),
    )


def _settings(studio: Studio, record: ModelRecord, picture: SavedImage | None) -> None:
    """What a checkpoint leaves to choose."""
    _size(record, studio.settings.max_pixels)
    sampling.steps(record)
    sampling.guidance(record)
    seed.draw(picture)
    seed.variation()
    _count()
    enlarge.draw(studio, record)
    chain.draw(studio, record)
    advanced.draw(studio, record)


def _prompts(studio: Studio, client: str, record: Model) -> None:
    hint = next(iter(record.examples), None)
    sent = actions.sent(studio, record)
    count = _counted(studio, record, str(sent["prompt"]), "prompt-count")
    st.text_area("Prompt", key="prompt", height=118, placeholder=hint, **KEEP)
    _warn_of_cut(count)
    problems.under("prompt")
    with st.container(horizontal=True, gap="xsmall", key="prompt-tools", wrap=False):
        ideas.popover(record)
        history.popover(studio, client)
        restore.popover(studio)
    with st.container(key="negative", gap="xsmall"):
        if record.negative_prompt:
            count = _counted(studio, record, str(sent["negative_prompt"]), "negative-count")
            help_text = "What the picture should not show."
            st.text_area("Negative prompt", key="negative_prompt", height=68, help=help_text, **KEEP)
            _warn_of_cut(count)
            if not isinstance(record, HostedModel):
                _ignored(record)
            problems.under("negative_prompt")


def _counted(studio: Studio, record: Model, prompt: str, key: str) -> TokenCount | None:
    """How much of what the model reads is used, on the line of the field's name; None for no words, and for a hosted
    model, whose tokens nobody here can count."""
    place = st.container(key=key)  # there even when empty: see `problems`
    if not prompt.strip() or isinstance(record, HostedModel):
        return None
    count = studio.count_tokens(record.id, prompt)
    about = "" if count.exact else "about "
    if count.tokens <= count.limit:
        place.html(f'<p class="tokens">{about}{count.tokens} of {count.limit} tokens</p>')
    return count


def _warn_of_cut(count: TokenCount | None) -> None:
    """Say before the model would cut the end."""
    place = st.container()
    if count is not None and count.tokens > count.limit:
        about = "" if count.exact else "about "
        warning = f"{about}{count.tokens} tokens: the model reads the first {count.limit} and cuts the rest."
        place.html(f'<p class="tokens over" role="status">{warning[0].upper()}{warning[1:]}</p>')


def _ignored(record: ModelRecord) -> None:
    """What is asked for in vain, such as a negative prompt while guidance is off."""
    place = st.container()
    request = either.without_prompt(state, record)
    for sentence in record.ignored(request) if request else []:
        place.html(f'<p class="tokens over" role="status">{text.plain(sentence)}</p>')


def _size(record: ModelRecord, max_pixels: int) -> None:
    sizes = form.presets(record, max_pixels)
    if record.has_one_size:
        size.only(next(iter(sizes.values())))
        return
    turned = form.turned(state, record, max_pixels)
    size.draw(sizes, record.size, turned, free=not record.size.shapes)


def _count() -> None:
    one_of.draw("Number of images", {count: str(count) for count in range(1, form.MAX_IMAGES + 1)}, "num_images")
    problems.under("num_images")
