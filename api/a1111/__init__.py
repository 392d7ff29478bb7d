"""`/sdapi/v1`: the studio for programs that were written for AUTOMATIC1111's web UI, such as the client `webuiapi`.

What it honours, translates and refuses is in `docs/a1111.md`. One rule is behind all of it: what a client sends
although nobody chose it gives way to the model's own, with a warning; what somebody chose is done or refused.
"""

from __future__ import annotations

from fastapi import FastAPI

from api.a1111 import access, extras, generate, lists, options, progress


def install(app: FastAPI) -> None:
    """Add the routes to `app`, and what the interface keeps for as long as the server runs."""
    app.state.a1111 = access.Chosen()
    for room in (generate, extras, options, progress, lists):
        app.include_router(room.router)
