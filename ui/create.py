"""The page that makes pictures, from the sidebar to the strip of recent ones."""

from __future__ import annotations

import streamlit as st

from ui import actions, shared, view
from ui.parts import contact_sheet, controls, drawer, engine, failure, job_view, picture, queue, restore, welcome

studio, client = shared.studio(), shared.client()
actions.begin(studio, client)
if "model" in st.query_params:  # somebody comes from the page with the models, or with a link
    actions.choose(studio, st.query_params.pop("model"))
here = view.look(studio, client, st.query_params.get("job"), st.query_params.get("image"))
if st.query_params.pop("reuse", None) and here.picture:  # from the gallery: with its settings
    actions.fill(studio, here.picture.recipe.to_request())
if (way := st.query_params.pop("work", None)) and here.picture:
    actions.work_from(studio, here.picture, way)

with st.sidebar:
    record = controls.draw(studio, client, here.picture)
    with st.container(key="foot", gap="xsmall"):
        controls.button(studio, client, record)
        engine.line(studio)

drawer.draw()
engine.trouble(studio)
restore.report()
if here.lost:
    st.info(here.lost, icon=":material/search_off:")

if not (here.watched or here.ended or here.picture):
    welcome.show(studio, client, record)

table, aside = st.columns([2, 1], gap="large")

with table:
    if here.watched and not here.picked:
        job_view.follow(studio, here.watched)
    else:
        if here.ended and here.ended.error and not here.picked:
            failure.show(studio, client, here.ended)
        if here.picture:
            picture.show(here.picture, studio)
            contact_sheet.of_job(here.pictures, here.picture)

with aside:
    if here.watched and here.picked:
        job_view.follow(studio, here.watched)
    queue.show(studio, client, here.watched)
    if here.watched and here.picture and not here.picked:
        picture.previous(here.picture)
    elif here.picture:
        picture.details(here.picture, studio, client)
        contact_sheet.family(studio.gallery, here.picture)
        picture.recipe(here.picture, studio.settings.outputs)

contact_sheet.recent(studio, here.picture)
actions.drawn()
