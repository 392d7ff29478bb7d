"""The page that shows the description of the API. All that it is made of comes from here: a browser asks no other host.

Swagger UI (Apache License 2.0) is what `fastapi-offline` brings along.
"""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter
from fastapi.responses import FileResponse

from pipeline.errors import NotFound

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI writes styles into its elements
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HERE, _SWAGGER = Path(__file__).parent, Path(fastapi_offline.__file__).parent / "static"
_FILES = {
    "docs.js": _HERE / "docs.js",
    "swagger-ui.css": _SWAGGER / "swagger-ui.css",
    "swagger-ui-bundle.js": _SWAGGER / "swagger-ui-bundle.js",
}

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
async def page() -> FileResponse:
    """The description, to read and to try out."""
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return FileResponse(_HERE / "docs.html", headers=headers)


@router.get("/{name}")
async def part(name: str) -> FileResponse:
    """A file that the page is made of."""
    if name not in _FILES:
        raise NotFound(f"The description has no part {name[:40]}.", "Open /docs.")
    return FileResponse(_FILES[name], headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"})
