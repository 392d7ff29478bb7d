"""A job under way: its progress and preview, live over the job's own event stream, and its owner's way to cancel it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.inputs import size_of
from pipeline.jobs.state import JobState
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model
from pipeline.pictures.fit import nearest_size
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui import shared
from ui.parts import text
from ui.parts.told import told

HERE = Path(__file__).parent

_live = st.components.v2.component(
    "darkroom_job",
    html=(HERE / "job_view.html").read_text(encoding="utf-8"),
    css=(HERE / "job_view.css").read_text(encoding="utf-8"),
    js=(HERE / "job_view.js").read_text(encoding="utf-8"),
)


def follow(studio: Studio, job: JobState) -> None:
    """Follow `job` until it ends; the browser then asks for the page once more."""
    width, height = _size(job.request, _model(studio, job))
    source = job.request.image
    data = {
        "job": f"/api/v1/jobs/{job.id}",
        "images": "/api/v1/images",
        "prompt": job.request.prompt,
        "count": job.request.num_pictures,
        "each": job.request.num_images,
        "width": width,
        "height": height,
        "source": text.upload_url(source) if source else "",
    }

    key = f"live-{job.id}"

    def ended() -> None:
        if told(key, "ended") == "cancelled":
            st.toast("Cancelled. Pictures that were finished are kept.")
        st.query_params["job"] = job.id
        st.query_params.pop("image", None)

    _live(key=key, data=data, on_ended_change=ended)
    for warning in job.warnings:
        st.warning(text.escaped(warning), icon=":material/info:")
    if job.restarted:
        st.info("The studio stopped while this job ran, so it was queued again.", icon=":material/restart_alt:")
    if job.client == shared.client():
        st.button("Cancel", icon=":material/close:", key="cancel", on_click=studio.job(job.id).cancel)
    else:
        st.html('<p class="card">Somebody else asked for this picture.</p>')


def _model(studio: Studio, job: JobState) -> Model:
    """Whose picture it is; the default where that was forgotten meanwhile."""
    try:
        return studio.model(job.model)
    except DarkroomError:
        return studio.default.record


def _size(request: GenerationRequest, model: Model) -> tuple[int, int]:
    """Width and height of what is drawn, in pixels, or its shape at least."""
    rule = model.size
    if isinstance(model, HostedModel):
        return model.size.made(*model.asked_size(request))
    if request.image is None or request.width or request.height:
        return request.width or rule.native[0], request.height or rule.native[1]
    width, height = size_of(request.image)
    if (margins := request.outpaint) is not None:
        return width + margins.left + margins.right, height + margins.top + margins.bottom
    return nearest_size((width, height), rule)
