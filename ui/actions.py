"""What the buttons do: callbacks, which Streamlit runs before it draws the page again.

The form lives in the session under the names of its fields, and `problem` holds what the last click complained about.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui import form

DOUBLE_CLICK_SECONDS = 1.0
state = st.session_state


def begin(studio: Studio, client: str) -> None:
    """Fill the form of a new session: with the client's last request, so that a reload loses nothing."""
    if "prompt" in state:
        return
    state.problem = None
    last = next(iter(studio.jobs(client=client, limit=1)), None)
    try:
        record = studio.models.find(last.model) if last else studio.default.record
    except DarkroomError:
        last, record = None, studio.default.record
    start = form.filled(last.request, record, studio.settings.max_pixels) if last else form.blank(record)
    state.update(start)


def fill(studio: Studio, request: GenerationRequest) -> None:
    """Put the settings of `request` into the form."""
    state.problem = None
    try:
        record = studio.models.find(request.model) if request.model else studio.default.record
        state.update(form.filled(request, record, studio.settings.max_pixels))
    except DarkroomError as error:
        state.problem = error.info


def choose(studio: Studio, model: str) -> None:
    """Take another model, with what it recommends."""
    state.problem = None
    try:
        record = studio.models.find(model)
        state.update(form.defaults(record) | {"model": record.id})
    except DarkroomError as error:
        state.problem = error.info


def keep_seed(seed: int) -> None:
    """Use `seed` from now on; -1 draws one each time."""
    state.seed = seed


def try_example(studio: Studio, client: str, prompt: str) -> None:
    """Put an example into the form and make it at once: on a phone nobody would see the form being filled."""
    state.prompt = prompt
    generate(studio, client)


def generate(studio: Studio, client: str) -> None:
    """Queue what the form asks for, or say what is wrong with it."""
    state.problem = None
    try:
        _submit(studio, client, form.to_request(state, studio.models.find(state.model)))
    except DarkroomError as error:
        state.problem = error.info


def retry(studio: Studio, client: str, request: GenerationRequest) -> None:
    """Queue the request of a failed job once more."""
    state.problem = None
    try:
        _submit(studio, client, request)
    except DarkroomError as error:
        state.problem = error.info


def fetch(studio: Studio, model: str) -> None:
    """Begin to download a model's files, or go on with it."""
    _try(lambda: studio.models.fetch(model))


def remove_files(studio: Studio, model: str) -> None:
    """Delete what was downloaded of a model."""
    _try(lambda: studio.models.remove_files(model))


def forget(studio: Studio, model: str) -> None:
    """Take a model that was added out again; the form then has the default one."""
    _try(lambda: studio.models.forget(model))
    if state.problem is None and state.model == model:
        choose(studio, studio.default.record.id)


def add(studio: Studio) -> None:
    """Add the repository that the page names."""
    _try(lambda: studio.models.add_from_hub(state.source))
    if state.problem is None:
        state.source = ""
    elif state.problem.field != "source":  # it is the model's in other places
        state.problem = state.problem.model_copy(update={"field": "source"})


def _try(action: Callable[[], object]) -> None:
    state.problem = None
    try:
        action()
    except DarkroomError as error:
        state.problem = error.info


def _submit(studio: Studio, client: str, request: GenerationRequest) -> None:
    """Queue `request` and show its job; clicks that follow within a second mean the same job."""
    now = time.monotonic()
    if now - state.get("clicked_at", -DOUBLE_CLICK_SECONDS) >= DOUBLE_CLICK_SECONDS:
        state.click = uuid.uuid4().hex
    state.clicked_at = now
    job = studio.submit(request, client=client, idempotency_key=state.click)
    st.query_params["job"] = job.id
    st.query_params.pop("image", None)
