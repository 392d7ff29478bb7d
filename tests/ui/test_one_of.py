"""A choice of one as Streamlit runs it; no browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from ui.parts import one_of

    st.session_state.setdefault("way", "b")
    st.session_state.setdefault("heard", 0)

    def heard() -> None:
        st.session_state.heard += 1

    one_of.draw("Way", {"a": "First", "b": "Second"}, "way", then=heard)


def test_another_is_taken_and_that_is_heard() -> None:
    app = AppTest.from_function(page).run()
    [control] = app.get("button_group")
    assert control.options == ["First", "Second"]
    control.set_value("a").run()
    assert (app.session_state.way, app.session_state.heard) == ("a", 1)


def test_what_was_taken_stays_when_the_browser_sends_nothing() -> None:
    app = AppTest.from_function(page).run()
    [control] = app.get("button_group")
    control.set_value(None).run()
    assert not app.exception
    assert (app.session_state.way, app.session_state.heard) == ("b", 0)
