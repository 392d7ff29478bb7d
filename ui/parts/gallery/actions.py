"""What clicks on the gallery's page do: callbacks, which Streamlit runs before it draws the page again.

The session holds which pictures are selected, and what is to be said about the last click.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, Unpack

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.gallery import Gallery
from pipeline.gallery.verify import verify
from pipeline.studio import Studio
from ui.actions import Marks
from ui.parts.gallery.place import Place, pictures

Result = TypeVar("Result")
state = st.session_state


@dataclass(frozen=True, slots=True)
class Notice:
    """What the last click led to."""

    words: str
    undo: tuple[str, ...] = ()
    """The pictures that it deleted."""
    wrong: bool = False


def go(place: Place) -> None:
    """Show another place; the browser's Back leads here again."""
    st.query_params.from_dict(place.params())


def search(place: Place) -> None:
    """Look for something else: nothing that is out of sight stays selected."""
    select(())
    dismiss()
    go(place)


def open_picture(here: Place, image_id: str) -> None:
    """Show one picture large."""
    state["gallery-last"] = image_id
    go(replace(here, image=image_id))


def close_picture(here: Place) -> None:
    """Show the grid again, where the picture lies."""
    state["gallery-last"] = here.image
    go(replace(here, image=""))


def selected() -> tuple[str, ...]:
    """The pictures that are selected, on this page and others."""
    chosen: tuple[str, ...] = state.get("gallery-selected", ())
    return chosen


def select(image_ids: Sequence[str]) -> None:
    """Select these and no others, as the page asks."""
    remember(image_ids)
    state["gallery-turn"] = state.get("gallery-turn", 0) + 1  # the grid takes this over its own


def remember(image_ids: Sequence[str]) -> None:
    """Take over what the grid tells is selected."""
    state["gallery-selected"] = tuple(image_ids)


def heart(gallery: Gallery, hearts: Mapping[str, bool]) -> None:
    """Make these pictures favourites, or no longer."""
    for image_id, favourite in hearts.items():
        mark(gallery, [image_id], favourite=favourite)


def mark(gallery: Gallery, image_ids: Sequence[str], **marks: Unpack[Marks]) -> None:
    """Give all of these a heart or stars, or take them away."""
    _try(lambda: [gallery.mark(image_id, **marks) for image_id in image_ids])


def delete(gallery: Gallery, image_ids: Sequence[str], then: Place) -> None:
    """Delete these, offer to bring them back, and go on."""
    gone = _try(lambda: gallery.delete(image_ids))
    select(())
    if gone is not None:
        _say(f"{pictures(len(gone))} deleted.", undo=tuple(gone))
        go(then)


def restore(gallery: Gallery, image_ids: Sequence[str], then: Place) -> None:
    """Bring deleted pictures back, and go on."""
    back = _try(lambda: gallery.restore(image_ids))
    select(())
    if back is not None:
        _say(f"{pictures(len(back))} restored.")
        go(then)


def empty_trash(gallery: Gallery) -> None:
    """Remove the deleted pictures for good."""
    freed = _try(gallery.empty_trash)
    select(())
    if freed is not None:
        _say(f"The trash is empty; {freed / 1e6:,.1f} MB are free again.")


def rebuild(gallery: Gallery) -> None:
    """Read every file again."""
    count = _try(gallery.rebuild)
    if count is not None:
        _say(f"Read the files again: {pictures(count)} found.")


def check(gallery: Gallery, image_id: str) -> None:
    """See whether the pixels are those that the recipe describes."""
    state["gallery-verdict"] = image_id, _try(lambda: verify(gallery.png(image_id)))


def make_again(studio: Studio, image_id: str, client: str) -> None:
    """Make a picture again from its recipe, to compare the two."""
    _try(lambda: studio.reruns.start(image_id, client=client))


def look_at_both(both: Place) -> None:
    """Show two pictures under the slider."""
    state["gallery-way"] = "Slider"
    go(both)


def notice() -> Notice | None:
    """What is to be said about the last click."""
    said: Notice | None = state.get("gallery-notice")
    return said


def dismiss() -> None:
    """Say nothing any more."""
    state["gallery-notice"] = None


def _say(words: str, undo: tuple[str, ...] = ()) -> None:
    state["gallery-notice"] = Notice(words, undo)


def _try(action: Callable[[], Result]) -> Result | None:
    """What the action gives; None when it is refused, and the reason is said."""
    dismiss()
    try:
        return action()
    except DarkroomError as error:
        state["gallery-notice"] = Notice(error.info.sentence, wrong=True)
        return None
