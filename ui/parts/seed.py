"""The seed: kept, drawn anew, or taken from the picture that is shown; and the variation that the form stands for."""

from __future__ import annotations

import streamlit as st

from pipeline.events import SavedImage
from pipeline.request import MAX_SEED
from ui import actions
from ui.fields import KEEP
from ui.parts import problems

state = st.session_state
SAME = "The same seed and settings make the same picture. −1 draws a new seed each time."
SENT = "The provider gets it; whether the same seed makes the same picture is the provider's to say. −1 draws one."


def draw(picture: SavedImage | None, advice: str = SAME) -> None:
    """The field and its two buttons."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall", key="seed-row"):
        st.number_input("Seed", -1, MAX_SEED, key="seed", step=1, help=advice, **KEEP)
        random_help = "Random: a new seed each time"
        st.button(
            "Random seed",
            icon=":material/casino:",
            key="dice",
            help=random_help,
            on_click=actions.keep_seed,
            args=(-1,),
        )
        seed = picture.seed if picture else -1
        keep_help = f"Keep this seed: {seed}, of the picture shown" if picture else "Keep the seed of a picture"
        st.button(
            "Keep the seed shown",
            icon=":material/push_pin:",
            key="pin",
            help=keep_help,
            disabled=picture is None,
            on_click=actions.keep_seed,
            args=(seed,),
        )


def variation() -> None:
    """What is wrong with the seed, and that the form stands for a variation, if it does."""
    with st.container():
        if state.variation_strength > 0:
            _variation()
    problems.under("seed", "variation_seed", "variation_strength")


def _variation() -> None:
    """That the form stands for a variation, and the way out of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", key="row-variation", wrap=False):
        words = f"A variation: {state.variation_strength:g} towards seed {state.variation_seed}"
        st.html(f'<p class="tokens left">{words}</p>')
        st.button(
            "Make no variation",
            icon=":material/close:",
            type="tertiary",
            key="no-variation",
            help="Make the picture of the seed itself",
            on_click=actions.no_variation,
        )
