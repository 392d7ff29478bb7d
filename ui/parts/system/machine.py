"""The machine's memory and disks, as bars."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import streamlit as st

from pipeline.models import hardware
from pipeline.models.files import hub
from pipeline.models.hardware import Device
from pipeline.studio import Studio
from ui.parts import text

NEARLY_FULL = 0.9


def draw(studio: Studio) -> None:
    """How full memory and disks are."""
    st.html('<h2 class="head">This machine</h2>')
    devices = [_bar(_name(one), one.memory_total - one.memory_free, one.memory_total) for one in _devices()]
    disks = [_bar(name, total - free, total) for name, total, free in _disks(studio)]
    st.html("".join(devices + disks))


@st.cache_data(ttl=1.5, show_spinner=False)
def _devices() -> tuple[Device, ...]:
    """Asked once for all who look at the same time: a driver takes a moment to answer."""
    return hardware.detect().devices


def _name(device: Device) -> str:
    return f"Main memory, {device.name}" if device.kind == "cpu" else f"GPU {device.index}, {device.name}"


def _disks(studio: Studio) -> Iterator[tuple[str, int, int]]:
    """Each disk once, with what lies on it: name, size and free bytes."""
    folders = {"pictures": studio.settings.outputs, "cache": studio.settings.cache, "models": hub.cache_folder()}
    found: dict[int, list[str]] = {}
    places: dict[int, Path] = {}
    for name, folder in folders.items():
        place = next(one for one in (folder, *folder.parents) if one.exists())
        device = place.stat().st_dev
        found.setdefault(device, []).append(name)
        places[device] = place
    for device, names in found.items():
        usage = shutil.disk_usage(places[device])
        yield f"Disk of {', '.join(names)}", usage.total, usage.free


def _bar(name: str, used: int, total: int) -> str:
    part = used / total if total else 0.0
    said = f"{text.size(total - used)} of {text.size(total)} free"
    full = " full" if part >= NEARLY_FULL else ""
    return (
        f'<div class="gauge{full}"><p><span>{text.plain(name)}</span><span>{said}</span></p>'
        f'<div role="meter" aria-label="{text.plain(name)}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * part:.0f}" aria-valuetext="{said}"><i style="width:{part:.1%}"></i></div></div>'
    )
