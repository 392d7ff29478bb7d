"""Finished pictures: their recipes, their files and their thumbnails."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import FileResponse

from api.access import StudioDep, in_thread
from pipeline.events import SavedImage

router = APIRouter(prefix="/api/v1/images", tags=["images"])

FOREVER = "private, max-age=31536000, immutable"
"""A picture never changes under its id, so a browser need not ask again."""

IfNoneMatch = Annotated[str | None, Header()]


@router.get("")
async def recent(
    studio: StudioDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 12,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[SavedImage]:
    """The newest pictures first."""
    return await in_thread(studio.gallery.recent, limit, offset)


@router.get("/{image_id}")
async def one(image_id: str, studio: StudioDep) -> SavedImage:
    """One picture's place and recipe."""
    return await in_thread(studio.gallery.find, image_id)


@router.api_route("/{image_id}/file", methods=["GET", "HEAD"], response_class=FileResponse)
async def file(image_id: str, studio: StudioDep, download: bool = False, if_none_match: IfNoneMatch = None) -> Response:
    """The PNG as it was saved, with its recipe inside; `download=1` makes a browser store it."""
    image = await in_thread(studio.gallery.find, image_id)
    headers = _headers(f'"{image.recipe.sha256}"')
    if _matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    name = image.path.name if image.path else f"{image.id}.png"
    disposition = "attachment" if download else "inline"
    if image.path is not None and await in_thread(image.path.is_file):
        return FileResponse(image.path, 200, headers, "image/png", filename=name, content_disposition_type=disposition)
    png = await in_thread(studio.gallery.png, image_id)
    return Response(png, 200, headers | {"Content-Disposition": f'{disposition}; filename="{name}"'}, "image/png")


@router.get("/{image_id}/thumbnail")
async def thumbnail(
    image_id: str,
    studio: StudioDep,
    side: Annotated[int, Query(ge=32, le=512)] = 256,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A small WebP, at most `side` pixels wide and high."""
    headers = _headers(f'"{image_id}-{side}"')
    if _matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(await in_thread(studio.gallery.thumbnail, image_id, side), 200, headers, "image/webp")


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}


def _matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the browser holds that very version, by RFC 9110's weak comparison."""
    return tag in [held.strip().removeprefix("W/") for held in (if_none_match or "").split(",")]
