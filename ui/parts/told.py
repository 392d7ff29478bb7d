"""What a component of ours tells a callback."""

from __future__ import annotations

from typing import Any

import streamlit as st


def told(key: str, what: str) -> Any:
    """What the component under `key` tells as `what`; None if it is gone, because another click drew the page first."""
    return getattr(st.session_state.get(key), what, None)
