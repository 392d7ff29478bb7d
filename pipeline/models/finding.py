"""What a self-test found about a model; `python -m pipeline.engine.check` prints such findings as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Finding(BaseModel):
    """One thing that was looked at."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool | None
    """True: fine. False: something will not work. None: worth knowing."""
    finding: str
