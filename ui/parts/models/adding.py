"""The ways to add a model: by the name of its repository, as a file in the weights folder, or at a server."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pipeline.models.controlnets import FOLDER as CONTROLNETS
from pipeline.models.own.shelf import FOLDERS, ShelfFile
from pipeline.studio import Studio
from ui import actions
from ui.parts import problems, text
from ui.parts.models import servers


def popover(studio: Studio) -> None:
    """The button that opens them all."""
    with st.popover("Add a model", icon=":material/add:", width="stretch", key="adding"):
        hub, file, *server = st.tabs(["From Hugging Face", "A file of yours", *(["A server"] * studio.hosted.on)])
        with hub:
            _repository(studio)
        with file:
            _files(studio)
        for tab in server:
            with tab:
                servers.form(studio)


def _repository(studio: Studio) -> None:
    st.text_input(
        "Hugging Face repository",
        key="source",
        placeholder="owner/name",
        help="A diffusers checkpoint of a family that is known here. Nothing is downloaded yet.",
    )
    st.button("Add", key="add", on_click=actions.add, args=(studio,), width="stretch")
    problems.under("source")


def _files(studio: Studio) -> None:
    shelf = studio.models.shelf
    st.write("Put `.safetensors` files, or folders in diffusers' layout, here. They are found without a restart.")
    st.code(str(shelf.folder / FOLDERS["checkpoint"]), language=None)
    st.button("Look again", icon=":material/refresh:", key="look-again", width="stretch")
    st.html(_found("checkpoint", shelf.checkpoints()))
    folders = (f"LoRAs go into `{FOLDERS['lora']}/`", f"VAEs into `{FOLDERS['vae']}/`")
    st.write(
        f"{', '.join(folders)} and upscalers into `{FOLDERS['upscaler']}/` beside it, and each ControlNet into a folder"
        f" of its own in `{CONTROLNETS}/`."
    )
    st.html(_found("LoRA", shelf.loras()) + _found("VAE", shelf.vaes()) + _found("upscaler", shelf.upscalers()))


def _found(kind: str, files: Sequence[ShelfFile]) -> str:
    """The files that lie there, with the reason beside those that cannot be used."""
    if not files:
        return f'<p class="row"><small>No {kind} is there.</small></p>'
    return "".join(_file(file) for file in files)


def _file(file: ShelfFile) -> str:
    told = f"{file.name} {file.refusal}" if file.refusal else f"{file.name}, {text.size(file.bytes)}"
    mark = "wrong" if file.refusal else "fine"
    return (
        f'<div class="check small {mark}"><i role="img" aria-label="{mark}"></i>'
        f"<div><p>{text.plain(told)}</p></div></div>"
    )
