"""What the buttons do: callbacks, which Streamlit runs before it draws the page again.

The form lives in the session under the names of its fields, and `problem` holds what the last click complained about.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TypedDict, Unpack

import streamlit as st

from pipeline.errors import DarkroomError, InvalidRequest
from pipeline.events import SavedImage
from pipeline.gallery import restore
from pipeline.inputs import MAX_MARGIN, size_of
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.pictures.desk import Taken
from pipeline.request import GenerationRequest, parse_request
from pipeline.studio import Studio
from ui import either, form, hosted, labels, maps, presets, restored, stages

DOUBLE_CLICK_SECONDS = 1.0
MORE = 4
"""Pictures that one click makes of a picture that is there."""
ALONE = {"image": None, "mask": None, "outpaint": None, "controls": ()}
"""Leaves out every picture that a recipe names."""
state = st.session_state


class Marks(TypedDict, total=False):
    """What somebody thinks of a picture; what is not named stays as it is."""

    favourite: bool
    rating: int
    """Stars, 0 to 5."""


def begin(studio: Studio, client: str) -> None:
    """Fill the form of a new session: with the client's last request, so that a reload loses nothing."""
    if "prompt" in state:
        _keep_model(studio)
        return
    state.problem, state.report, state.jobs_begun = None, None, 0
    last = next(iter(studio.jobs(client=client, limit=1)), None)
    record = (last and either.known(studio, last.model)) or studio.default.record
    if last and record.id == last.model:
        state.update(either.filled(last.request, record, studio.settings.max_pixels))
    else:
        state.update(either.blank(record))


def _keep_model(studio: Studio) -> None:
    """Leave the model that is chosen, or take the default when that cannot be chosen any more."""
    found = labels.meant(state.model, hosted.offered(studio))
    if found is None:
        found = studio.default.record
        state.update(either.defaults(found))
    elif isinstance(found, HostedModel):  # whose server may leave more to choose since it was asked anew
        state.update({name: value for name, value in hosted.defaults(found).items() if name not in state})
    state.model = found.id


def chosen(studio: Studio) -> Model:
    """The model of the form; the default while Create was not opened, or when that was forgotten meanwhile."""
    return labels.meant(state.get("model", ""), hosted.offered(studio)) or studio.default.record


def fill(studio: Studio, request: GenerationRequest) -> None:
    """Put the settings of `request` into the form."""
    state.problem = None
    try:
        state.update(either.filled(request, either.find(studio, request.model), studio.settings.max_pixels))
        if all(map(studio.inputs.has, request.input_ids)):
            st.toast("The form has these settings now.", icon=":material/replay:")
        else:
            state.update(form.no_picture() | maps.none())
            st.toast("The form has these settings, but the picture behind them is not kept any more.")
    except DarkroomError as error:
        state.problem = error.info


def choose(studio: Studio, model: str) -> None:
    """Take another model, with what it recommends."""
    state.problem = None
    try:
        record = either.find(studio, model)
        state.update(either.defaults(record) | {"model": record.id})
    except DarkroomError as error:
        state.problem = error.info


def keep_seed(seed: int) -> None:
    """Use `seed` from now on; -1 draws one each time."""
    state.seed = seed
    no_variation()


def no_variation() -> None:
    """Make the picture of the seed itself."""
    state.variation_strength, state.variation_seed = 0.0, -1


def write(prompt: str) -> None:
    """Put words into the prompt, as they are: they may have been made with a style."""
    state.prompt, state.style = prompt, presets.NO_STYLE


def turn(size: dict[str, object]) -> None:
    """Take the size with width and height exchanged."""
    state.update(size)


def take_settings(studio: Studio, name: str, data: bytes) -> None:
    """Read the settings out of a picture's file into the form, and report what could not be had."""
    state.problem, state.report = None, None
    try:
        found = restored.into_form(studio, restore.read_settings(data), chosen(studio).id)
        state.update(found.form)
        state.report = restored.Report(name=name, notes=found.notes)
    except DarkroomError as error:
        state.problem = error.info.model_copy(update={"field": "file"})


def take_picture(studio: Studio, data: bytes) -> None:
    """Work from the picture in a file."""
    _take(studio, lambda: studio.desk.take(data), form.CHANGE)


def record_of(studio: Studio, image: SavedImage) -> Model:
    """The model that made a picture, or the form's when it is not known any more, or cannot be asked."""
    return either.known(studio, image.recipe.model) or chosen(studio)


def enlarger_of(studio: Studio, image: SavedImage) -> ModelRecord:
    """The checkpoint by whose upscaler a picture is enlarged: its own, or the default for what was made elsewhere."""
    record = record_of(studio, image)
    return studio.default.record if isinstance(record, HostedModel) else record


def work_from(studio: Studio, image: SavedImage, way: str) -> None:
    """Work from a picture of the studio, with its own settings to begin with; by the form's model, and just with its
    words, where its own cannot be had."""
    state.problem = None
    if either.known(studio, image.recipe.model):
        fill(studio, image.recipe.to_request(**ALONE, strength=None, upscale=None, seed=-1))
    else:
        write(image.recipe.prompt)
    if state.problem is None:
        _take(studio, lambda: studio.desk.take(image), way)


def _take(studio: Studio, take: Callable[[], Taken], way: str) -> None:
    state.problem = None
    try:
        taken = take()
    except DarkroomError as error:
        state.problem = error.info.model_copy(update={"field": "image"})
        return
    record = chosen(studio)
    state.update(form.no_picture() | {"image": taken.id, "image_notes": taken.notes})
    known = either.ways(record)
    choose_way(way if way in known else next(iter(known), form.CHANGE))
    state.update(either.sized_for((taken.width, taken.height), record, studio.settings.max_pixels))


def choose_way(way: str) -> None:
    """Do something else with the picture, as strongly as is usual."""
    state.way, state.strength = way, form.usual_strength(way)


def extend(percent: int, step: int) -> None:
    """Draw on at every side by a part of the picture's size, in whole steps of pixels."""
    width, height = size_of(state.image)
    for side in form.SIDES:
        length = width if side in {"left", "right"} else height
        state[form.margin_key(side)] = min(MAX_MARGIN, max(step, round(length * percent / 100 / step) * step))


def take_mask(studio: Studio, data: bytes) -> None:
    """Draw anew what is white in the picture in a file, which must have the size of the one it is for."""
    state.problem = None
    try:
        taken, wanted = studio.desk.take_mask(data), size_of(state.image)
        if (taken.width, taken.height) != wanted:
            message = f"The mask has {taken.width} × {taken.height} pixels, the picture {wanted[0]} × {wanted[1]}."
            raise InvalidRequest(message, "Choose one of the same size.")
        state.mask = taken.id
    except DarkroomError as error:
        state.problem = error.info.model_copy(update={"field": "mask"})


def drop_picture() -> None:
    """Work from words alone again."""
    state.problem = None
    state.update(form.no_picture())


def add_stage(studio: Studio, record: ModelRecord) -> None:
    """Hand each picture on once more: to the model that comes before, or to the first that can take one."""
    models = [one.id for one in stages.offered(studio.models.records)]
    before = state[stages.stage_key(state.stages, "model")] if state.stages else record.id
    number = state.stages + 1
    state.update(stages.blank(number, before if before in models else models[0]) | {"stages": number})


def drop_stage(number: int) -> None:
    """Hand the pictures on past that stage."""
    state.update(stages.without(state, number))


def keep_chain(studio: Studio, record: ModelRecord) -> None:
    """Keep what the form does under the name that it gives."""

    def keep() -> None:
        words = sent(studio, record)
        request = form.to_request({**words, "prompt": words["prompt"] or "a picture"}, record)
        chain = studio.chains.keep(state.chain_name, request)
        st.toast(f"“{chain.name}” is kept.", icon=":material/bookmark_added:")

    _try(keep)


def take_chain(studio: Studio, name: str) -> None:
    """Put a kept chain into the form, around the words that are there."""
    words = state.prompt

    def take() -> None:
        fill(studio, studio.chains.find(name).request)
        state.prompt = words or state.prompt

    _try(take)


def forget_chain(studio: Studio, name: str) -> None:
    """Forget a kept chain."""
    _try(lambda: studio.chains.remove(name))


def enlarge(studio: Studio, client: str, image: SavedImage, factor: int, upscaler: str) -> None:
    """Queue an enlargement of a picture."""

    def queue() -> None:
        wish = {"image": studio.desk.take(image).id, "strength": 0, "upscale": {"factor": factor, "upscaler": upscaler}}
        if image.recipe.hosted is None:
            _submit(studio, client, image.recipe.to_request(**ALONE | wish))
        else:  # which no provider does
            plain = {"prompt": image.recipe.prompt, "model": enlarger_of(studio, image).id}
            _submit(studio, client, parse_request(**plain, **wish))

    _try(queue)


def close_report() -> None:
    """Put the report about a file away."""
    state.report = None


def styles(studio: Studio, record: Model) -> dict[str, presets.Style]:
    """The styles for a model. Raises `BadSettings` when the person's own file is wrong."""
    return presets.styles(record, presets.read_styles(studio.settings.data_folder / "styles.toml"))


def sent(studio: Studio, record: Model) -> dict[str, object]:
    """The form with the prompts as they are sent; with a file of styles that is wrong, those of the studio are used."""
    try:
        known = styles(studio, record)
    except DarkroomError:
        known = presets.styles(record)
    return presets.sent(state, known.get(state.style))


def try_example(studio: Studio, client: str, prompt: str) -> None:
    """Put an example into the form and make it at once: on a phone nobody would see the form being filled."""
    state.prompt = prompt
    generate(studio, client)


def generate(studio: Studio, client: str) -> None:
    """Queue what the form asks for, or say what is wrong with it."""
    state.problem = None
    try:
        record = chosen(studio)
        _submit(studio, client, either.to_request(sent(studio, record), record))
    except DarkroomError as error:
        state.problem = error.info


def more_like(studio: Studio, client: str, image: SavedImage) -> None:
    """Queue pictures that differ from this one a little, as much as the slider says."""
    strength = state.how_different
    _again(studio, client, image, num_images=MORE, variation_strength=strength, variation_seed=-1)


def other_seeds(studio: Studio, client: str, image: SavedImage) -> None:
    """Queue pictures with the settings of this one and new seeds."""
    _again(studio, client, image, num_images=MORE, seed=-1, variation_strength=0.0, variation_seed=-1)


def mark(studio: Studio, image: SavedImage, **marks: Unpack[Marks]) -> None:
    """Keep what somebody thinks of a picture."""
    _try(lambda: studio.gallery.mark(image.id, **marks))


def drawn() -> None:
    """The page is drawn: from now on a click for the same is meant, if it is not a double one."""
    request, when = state.get("clicked", (None, 0.0))
    if when is None:
        state.clicked = request, time.monotonic()


def _again(studio: Studio, client: str, image: SavedImage, **changes: object) -> None:
    _try(lambda: _submit(studio, client, image.recipe.to_request(**changes)))


def retry(studio: Studio, client: str, request: GenerationRequest) -> None:
    """Queue the request of a failed job once more."""
    _try(lambda: _submit(studio, client, request))


def fetch(studio: Studio, model: str) -> None:
    """Begin to download a model's files, or go on with it."""
    _try(lambda: studio.models.fetch(model))


def check(studio: Studio, model: str) -> None:
    """Begin to check a model."""
    _try(lambda: studio.models.start_check(model))


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
    """Queue `request` and show its job; clicks for the same before the page is drawn, or within a second after that,
    mean the same job. Nothing goes to a provider before somebody has agreed to that."""
    hosted.check_agreed(studio, request.model)
    before, when = state.get("clicked", (None, 0.0))
    if request != before or (when is not None and time.monotonic() - when >= DOUBLE_CLICK_SECONDS):
        state.click = uuid.uuid4().hex
    # Before the job is queued: the next click may end this call wherever it touches the session. And without a time
    # until the page is drawn again, however long a busy machine takes for that.
    state.clicked = request, None
    job = studio.submit(request, client=client, idempotency_key=state.click)
    state.jobs_begun += 1
    st.query_params["job"] = job.id
    st.query_params.pop("image", None)
