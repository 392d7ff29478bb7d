"""Every picture ever made: found again, looked at, kept, sent on."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.events import SavedImage
from ui import shared
from ui.parts.gallery import bar, browse, detail, place, side_by_side

studio = shared.studio()
gallery = studio.gallery
gallery.refresh()  # files may have been moved or deleted meanwhile
here = place.read(st.query_params)
shown: tuple[SavedImage, ...] = ()

st.html(Path(__file__).parent / "assets" / "gallery.css")
if here.image:
    detail.draw(studio, here)
elif len(here.compared) > 1:
    side_by_side.draw(gallery, here)
else:
    shown = browse.draw(studio, here)
bar.draw(gallery, here, shown)
