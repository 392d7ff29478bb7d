"""What becomes of each picture next: the stages of a chain, and the chains that are kept under a name."""

from __future__ import annotations

import streamlit as st

from pipeline.models.registry import ModelRecord
from pipeline.request import MAX_STAGES
from pipeline.studio import Studio
from ui import actions, labels, stages
from ui.fields import KEEP
from ui.parts import problems, text

state = st.session_state
POPOVER = "kept-chains"


def draw(studio: Studio, record: ModelRecord) -> None:
    """The section of the form, folded until it is used."""
    count = state.stages
    label = "Hand it on" + (f" · {count} more {'stage' if count == 1 else 'stages'}" if count else " to another model")
    with st.expander(label, icon=":material/conversion_path:", type="compact", key="chain", expanded=count > 0):
        models = {one.id: one for one in stages.offered(studio.models.records)}
        for number in range(1, count + 1):
            _stage(number, models)
        _ways(studio, record)
        problems.under("then", "name")


def _stage(number: int, models: dict[str, ModelRecord]) -> None:
    def key(field: str) -> str:
        return stages.stage_key(number, field)

    with st.container(key=f"stage-{number}", gap="xsmall", border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"row-stage-{number}"):
            st.html(f'<h4 class="stage">Stage {number + 1}</h4>')
            st.space("stretch")
            st.button(
                f"Take stage {number + 1} out",
                icon=":material/close:",
                type="tertiary",
                key=f"row-out-{number}",
                help="Take it out",
                on_click=actions.drop_stage,
                args=(number,),
            )
        options = dict.fromkeys([*models, state[key("model")]])
        st.selectbox(
            f"Model of stage {number + 1}",
            options,
            key=key("model"),
            format_func=lambda name: labels.label(models[name]) if name in models else name,
            label_visibility="collapsed",
            **KEEP,
        )
        advice = "How much of the picture before is drawn anew: 0.2 changes details, 0.8 keeps little but the layout."
        st.slider("Strength", 0.05, 1.0, step=0.05, key=key("strength"), help=advice, **KEEP)
        st.text_area("Other words", key=key("prompt"), height=68, placeholder="The same words", **KEEP)
        _numbers(number, models.get(state[key("model")]))
        if rest := stages.unseen(state, number):
            st.html(f'<p class="card">Also: {text.plain(rest)}</p>')


def _numbers(number: int, record: ModelRecord | None) -> None:
    """Steps and guidance; an empty field is what the model does by itself."""
    left, right = st.columns(2, gap="small")
    left.number_input(
        "Steps",
        1,
        1000,
        None,
        key=stages.stage_key(number, "num_inference_steps"),
        placeholder=str(record.steps.default) if record else "its own",
        **KEEP,
    )
    right.number_input(
        "Guidance",
        0.0,
        100.0,
        None,
        step=0.5,
        key=stages.stage_key(number, "guidance_scale"),
        placeholder=f"{record.guidance.default:g}" if record else "its own",
        **KEEP,
    )


def _ways(studio: Studio, record: ModelRecord) -> None:
    with st.container(horizontal=True, gap="xsmall", key="chain-ways"):
        st.button(
            "Add a stage",
            icon=":material/add:",
            width="stretch",
            key="add-stage",
            disabled=state.stages == MAX_STAGES,
            on_click=actions.add_stage,
            args=(studio, record),
        )
        icon = ":material/bookmarks:"
        with st.popover("Kept chains", key=POPOVER, icon=icon, width="stretch", on_change="rerun") as box:
            if box.open:
                _kept(studio, record)


def _take(studio: Studio, name: str) -> None:
    actions.take_chain(studio, name)
    state[POPOVER] = False  # its button moves down as the stages come


def _kept(studio: Studio, record: ModelRecord) -> None:
    """Those that can be taken, and the way to keep the one in the form."""
    kept = studio.chains.all()
    for chain in kept:
        with st.container(
            horizontal=True, gap="xxsmall", vertical_alignment="center", wrap=False, key=f"kept-{chain.name}"
        ):
            st.button(
                text.escaped(chain.name),
                width="stretch",
                key=f"chain-{chain.name}",
                help=text.escaped(" → ".join(chain.request.models(chain.request.model or record.id))),
                on_click=_take,
                args=(studio, chain.name),
            )
            st.button(
                f"Forget “{text.escaped(chain.name)}”",
                icon=":material/delete:",
                type="tertiary",
                key=f"row-forget-{chain.name}",
                help="Forget it; its pictures stay",
                on_click=actions.forget_chain,
                args=(studio, chain.name),
            )
    if not kept:
        st.html('<p class="card">None is kept yet.</p>')
    st.text_input("Name for this one", key="chain_name", max_chars=60)
    st.button(
        "Keep this chain",
        icon=":material/bookmark_add:",
        width="stretch",
        key="keep-chain",
        disabled=state.stages == 0,
        on_click=actions.keep_chain,
        args=(studio, record),
    )
