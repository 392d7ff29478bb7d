"""A comparison that is open: how far it is, its sheet, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.compare.comparisons import ComparisonState
from pipeline.errors import NotFound
from pipeline.jobs.state import JobState
from pipeline.models import schedulers
from pipeline.studio import Studio
from ui import either
from ui.parts import problems, text
from ui.parts.compare import actions, form, lab, sheet

SECONDS = 1.0
"""After which an unfinished sheet is looked at again."""
_CREATE = Path(__file__).parents[2] / "create.py"
state = st.session_state


def find(studio: Studio) -> ComparisonState | None:
    """The comparison in the address; a sentence on the page where that leads nowhere."""
    named = st.query_params.get(actions.ADDRESS)
    place = st.container()
    try:
        return studio.comparisons.find(named) if named else None
    except NotFound as error:
        place.info(text.escaped(error.info.sentence), icon=":material/search_off:")
        return None


def show(studio: Studio, client: str, here: ComparisonState) -> None:
    """Everything about it, from its prompt to the lab's table."""
    st.button(
        "All comparisons", icon=":material/arrow_back:", type="tertiary", key="compare-back", on_click=actions.leave
    )
    _heading(studio, here)
    problems.elsewhere()
    with st.container(key="compare-over"):
        if here.ended:
            _ways(studio, client, here)
    _live(studio, here)
    if here.ended and form.way_of(here.comparison) == "lab":
        lab.show(studio, here)


def _heading(studio: Studio, here: ComparisonState) -> None:
    base, rows = here.comparison.base, here.comparison.rows
    across, down = here.comparison.shape
    shape = f"{across} × {down} pictures" if rows else f"{across} pictures"
    facts = [sheet.axes(here), shape, *_shared(studio, here), f"{here.created_at.astimezone():%d %B %Y, %H:%M}"]
    chips = "".join(f"<span>{text.plain(fact)}</span>" for fact in facts)
    st.html(f'<h1 class="asked">{text.plain(base.prompt)}</h1><div class="facts">{chips}</div>')


def _shared(studio: Studio, here: ComparisonState) -> list[str]:
    """What all pictures have in common, as far as it was chosen."""
    base, compared = here.comparison.base, {axis.field for axis in here.comparison.axes}
    said = {
        "model": either.name_of(studio, base.model or ""),
        "num_inference_steps": f"{base.num_inference_steps} steps" if base.num_inference_steps else None,
        "guidance_scale": f"guidance {base.guidance_scale:g}" if base.guidance_scale is not None else None,
        "seed": f"seed {base.seed}",
        "scheduler": schedulers.label(base.scheduler) if base.scheduler else None,
        "width": f"{base.width} × {base.height}" if base.width and base.height else None,
    }
    return [words for field, words in said.items() if words and field not in compared]


def _live(studio: Studio, here: ComparisonState) -> None:
    """Progress and sheet, looked at again every second until all is over."""
    key = f"compare-live-{here.id}"

    @st.fragment(run_every=None if here.ended else SECONDS, key=key)
    def draw() -> None:
        if wanted := state.pop("compare_reuse", None):
            st.switch_page(_CREATE, query_params={"image": wanted, "reuse": "1"})
        now = studio.comparisons.find(here.id)
        if now.ended and not here.ended:
            st.rerun()
        _progress(studio, now)
        sheet.show(studio, now, _reuse)

    draw()


def _reuse(image_id: str) -> None:
    state.compare_reuse = image_id


def _progress(studio: Studio, now: ComparisonState) -> None:
    """How many pictures are there, and the way to stop the others; nothing once it is over."""
    if now.ended:
        return
    part = _part(now)
    words, ways = st.columns([5, 1], vertical_alignment="center")
    told = f"{now.done} of {len(now.cells)} pictures"
    left = _left(now)
    words.html(
        f'<div class="way-on" role="progressbar" aria-label="Pictures" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * part:.0f}" aria-valuetext="{told}"><i style="width:{100 * part:.1f}%"></i></div>'
        f'<p class="row"><span>{told}</span> <small>{left}</small></p>'
    )
    ways.button(
        "Cancel",
        icon=":material/close:",
        key="compare-cancel",
        width="stretch",
        on_click=actions.cancel,
        args=(studio, now.id),
    )


def _part(now: ComparisonState) -> float:
    """How much is done of all, by pictures, and by steps of those under way."""
    return sum(_done(cell.job) for cell in now.cells) / len(now.cells)


def _done(job: JobState) -> float:
    if job.ended:
        return 1.0
    return job.progress.step / job.progress.steps if job.progress.steps else 0.0


def _left(now: ComparisonState) -> str:
    """How long it still takes, by the pictures that are there; empty before the second."""
    made = [cell.job.images[0].recipe.seconds for cell in now.cells if cell.job.images]
    waiting = sum(not cell.job.ended for cell in now.cells)
    return text.left(sum(made) / len(made) * waiting) if len(made) > 1 else ""


def _ways(studio: Studio, client: str, here: ComparisonState) -> None:
    """What can be done with a comparison that is over."""
    with st.container(horizontal=True, key="compare-ways"):
        if here.missing:
            many = f"Make the {here.missing} missing" if here.done else "Make them now"
            st.button(
                many,
                type="primary",
                icon=":material/play_arrow:",
                key="compare-resume",
                on_click=actions.resume,
                args=(studio, here.id),
            )
        if here.done:
            address = f"/api/v1/comparisons/{here.id}"
            st.link_button("Download sheet", f"{address}/sheet?download=1", icon=":material/grid_on:")
            st.link_button("Download folder", f"{address}/archive", icon=":material/folder_zip:")
        st.button(
            "Edit as a new one",
            icon=":material/edit:",
            key="compare-edit",
            on_click=actions.edit,
            args=(studio, here.comparison),
        )
        st.button(
            "Make again",
            icon=":material/replay:",
            key="compare-again",
            help="The same once more; each picture comes out the same.",
            on_click=actions.again,
            args=(studio, client, here.comparison),
        )
