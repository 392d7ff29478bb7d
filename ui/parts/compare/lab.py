"""The quantisation lab: what fewer bits save, and what they change, in one table, a slider and a map."""

from __future__ import annotations

import streamlit as st

from pipeline.compare.comparisons import CellState, ComparisonState
from pipeline.compare.measure import Measurement
from pipeline.errors import DarkroomError
from pipeline.events import SavedImage
from pipeline.studio import Studio
from ui.fields import KEEP
from ui.parts import slider, text
from ui.parts.compare import sheet

GAINS = (1, 4, 8, 16, 32)
state = st.session_state


def show(studio: Studio, here: ComparisonState) -> None:
    """The table first, then two of the pictures against each other."""
    there = {cell.column: cell for cell in here.cells if cell.job.images}
    names = sheet.labels(studio, here.comparison.columns)
    if not there:
        return
    st.html('<h2 class="head">Measured</h2>')
    _table(studio, here, there, names)
    if len(there) > 1:
        _pair(here, there, names)


def _table(studio: Studio, here: ComparisonState, there: dict[int, CellState], names: list[str]) -> None:
    place = st.container()
    try:
        rows = _measured(studio, here, min(there), tuple(cell.job.images[0].id for cell in there.values()))
    except DarkroomError as error:
        place.html(f'<p class="problem" role="alert">{text.plain(error.info.sentence)}</p>')
        return
    by_image = {row.image_id: row for row in rows}
    body = "".join(
        _row(names[column], by_image[cell.job.images[0].id])
        for column, cell in sorted(there.items())
        if cell.job.images[0].id in by_image
    )
    place.html(
        '<div class="measured" tabindex="0" role="region" aria-label="Measured"><table>'
        "<thead><tr><th scope=col>Precision</th><th scope=col>Weights held</th><th scope=col>Loading</th>"
        "<th scope=col>Each step</th><th scope=col>PSNR</th><th scope=col>SSIM</th>"
        f"<th scope=col>Pixels changed</th></tr></thead><tbody>{body}</tbody></table></div>"
    )
    place.html(f'<p class="card">{text.plain(" ".join(_notes(rows)))}</p>')


def _measured(
    studio: Studio, here: ComparisonState, reference: int, image_ids: tuple[str, ...]
) -> tuple[Measurement, ...]:
    """The measurements of these pictures, which are made once for as long as the session lasts."""
    known = state.setdefault("compare_measured", {})
    key = here.id, reference, image_ids
    if key not in known:
        known[key] = studio.comparisons.measurements(here.id, reference)
    rows: tuple[Measurement, ...] = known[key]
    return rows


def _row(name: str, row: Measurement) -> str:
    mark = ' <span class="reference">reference</span>' if row.reference else ""
    saved = ""
    if row.bytes_held and row.bytes_unquantized and row.bytes_held < row.bytes_unquantized:
        saved = f" <small>−{1 - row.bytes_held / row.bytes_unquantized:.0%}</small>"
    cells = [
        f"{text.size(row.bytes_held)}{saved}" if row.bytes_held else "–",
        f"{row.load_seconds:.1f} s" if row.load_seconds else "–",
        _pace(row.seconds_per_step),
        *_apart(row),
    ]
    told = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr><th scope=row>{text.plain(name)}{mark}</th>{told}</tr>"


def _pace(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.3f} s" if seconds < 0.1 else f"{seconds:.2f} s"


def _apart(row: Measurement) -> list[str]:
    """PSNR, SSIM and share of changed pixels, against the reference."""
    if row.reference:
        return ["–", "–", "–"]
    if row.identical:
        return ["identical", "1.000", "0 %"]
    psnr = "–" if row.psnr is None else f"{row.psnr:.1f} dB"
    ssim = "–" if row.ssim is None else f"{row.ssim:.3f}"
    return [psnr, ssim, "–" if row.changed is None else f"{100 * row.changed:.0f} %"]


def _notes(rows: tuple[Measurement, ...]) -> list[str]:
    """What one should know to read the table."""
    notes = ["PSNR and SSIM say how near a picture is to the reference: more is nearer, and an SSIM of 1 is the same."]
    if any(row.load_seconds is None for row in rows):
        notes.append("Without a loading time the model was loaded already.")
    if any(row.note for row in rows):
        notes += [row.note for row in rows if row.note]
    return notes


def _pair(here: ComparisonState, there: dict[int, CellState], names: list[str]) -> None:
    """Two pictures with a slider between, and what differs between them."""
    columns = sorted(there)
    st.html('<h2 class="head">Two against each other</h2>')
    first, second = (f"compare_pair_{side}_{here.id}" for side in ("left", "right"))
    state.setdefault(first, columns[0])
    state.setdefault(second, columns[-1])
    places = st.columns([1, 1, 2], vertical_alignment="bottom")
    left = places[0].selectbox("Left", columns, key=first, format_func=names.__getitem__, **KEEP)
    right = places[1].selectbox("Right", columns, key=second, format_func=names.__getitem__, **KEEP)
    with places[2]:
        gain = st.segmented_control(
            "Strength of the difference", GAINS, default=8, key="compare_gain", format_func="{} ×".format, required=True
        )
    one, two = there[left].job.images[0], there[right].job.images[0]
    slide, apart = st.columns(2, gap="medium")
    with slide:
        slider.show(one, two, (names[left], names[right]), key=f"slider-{here.id}")
    with apart:
        _difference(one, two, f"What differs between {names[left]} and {names[right]}, {gain} times as strong", gain)


def _difference(one: SavedImage, two: SavedImage, words: str, gain: int) -> None:
    width, height = one.recipe.width, one.recipe.height
    st.html(
        f'<figure class="apart" style="--side:{width}px;--shape:{width / height:.4f}">'
        f'<img src="{text.difference_url(one.id, two.id, gain)}" alt="{text.plain(words)}" width="{width}" '
        f'height="{height}"><figcaption>{text.plain(words)}. Black is the same.</figcaption></figure>'
    )
