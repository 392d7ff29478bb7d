"""Finished pictures: found, marked, deleted and brought back; their files, thumbnails, archives and differences."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.access import A_FILE, KEPT, StudioDep, in_pieces, in_thread, is_held, sends
from pipeline.errors import InvalidRequest
from pipeline.events import SavedImage
from pipeline.gallery import difference, formats
from pipeline.gallery.difference import Difference
from pipeline.gallery.query import MAX_ARCHIVE, MAX_PAGE, Facets, ImagePage, ImageQuery
from pipeline.gallery.restore import Restored, read_settings
from pipeline.gallery.verify import Verdict, verify
from pipeline.request import GenerationRequest
from pipeline.studio import Studio

router = APIRouter(prefix="/api/v1/images", tags=["images"])

CACHING = "private, max-age=86400, stale-while-revalidate=31536000"
"""A picture hardly ever changes under its id. After a day a browser shows what it holds at once, and asks whether it
is still so for the next time."""

ENDINGS = {"png": "png", "jpeg": "jpg", "webp": "webp"}
"""What the names of files of each format end in."""

IfNoneMatch = Annotated[str | None, Header()]


class Page(ImageQuery):
    """A search, and which part of what it finds is wanted."""

    limit: int = Field(60, ge=1, le=MAX_PAGE, description="Pictures on a page.")
    offset: int = Field(0, ge=0, le=2**31, description="Pictures to skip.")


class Marks(BaseModel):
    """What somebody thinks of a picture; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    favourite: bool | None = None
    rating: int | None = Field(None, ge=0, le=5, description="Stars; 0 is none.")


@router.get("")
async def search(studio: StudioDep, page: Annotated[Page, Query()]) -> ImagePage:
    """Find pictures, newest first, and tell how many there are in all. Folders that changed are looked at anew."""
    query = ImageQuery(**page.model_dump(exclude={"limit", "offset"}))
    await in_thread(studio.gallery.refresh)
    return await in_thread(studio.gallery.search, query, page.limit, page.offset)


@router.get("/facets")
async def facets(studio: StudioDep) -> Facets:
    """Count the pictures by model and by size: what there is to choose from."""
    return await in_thread(studio.gallery.facets)


@router.post("/settings", openapi_extra=A_FILE)
async def settings(request: Request) -> Restored:
    """Read the settings that a picture's file carries, of this studio or of A1111 and its relatives: the fields of a
    request, and a sentence for everything that cannot be had. The body is the file, which is not kept."""
    return await in_thread(read_settings, await request.body())


@router.get("/archive", response_class=StreamingResponse, responses=sends("application/zip"))
async def archive(studio: StudioDep, image_id: Annotated[list[str], Query(alias="id")]) -> StreamingResponse:
    """Download pictures and the text of each as a ZIP, made while it is sent."""
    if len(image_ids := dict.fromkeys(image_id)) > MAX_ARCHIVE:
        message = f"{len(image_ids)} pictures are too many for one archive."
        raise InvalidRequest(message, f"Ask for {MAX_ARCHIVE} at a time.", field="id")
    pieces = await in_thread(studio.gallery.archive, image_ids)
    name = f"darkroom-{datetime.now():%Y%m%d-%H%M%S}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(in_pieces(pieces), 200, headers, "application/zip")


@router.get("/{image_id}")
async def one(image_id: str, studio: StudioDep) -> SavedImage:
    """Look at one picture: its place, its marks and its recipe."""
    return await in_thread(studio.gallery.find, image_id)


@router.get("/{image_id}/request")
async def request_of(image_id: str, studio: StudioDep) -> GenerationRequest:
    """Get the request that makes a picture again; with another seed or number it makes more of the kind."""
    return (await in_thread(studio.gallery.find, image_id)).recipe.to_request()


class Family(BaseModel):
    """Where a picture comes from, and what was made of it."""

    parent: SavedImage | None
    """The picture of the gallery that it was made from."""
    ancestors: list[SavedImage]
    """That one and those before it, the earliest first."""
    children: list[SavedImage]
    """Those that were made from it, oldest first."""


@router.get("/{image_id}/family")
async def family(image_id: str, studio: StudioDep) -> Family:
    """List the pictures that this one was made from, and those that were made from it."""
    return await in_thread(_family, studio, image_id)


@router.patch("/{image_id}")
async def mark(image_id: str, marks: Marks, studio: StudioDep) -> SavedImage:
    """Mark a picture as a favourite, or give it stars."""
    return await in_thread(studio.gallery.mark, image_id, favourite=marks.favourite, rating=marks.rating)


@router.delete("/{image_id}", status_code=204)
async def delete(image_id: str, studio: StudioDep) -> None:
    """Delete a picture; for thirty days it can be brought back."""
    image = await in_thread(studio.gallery.find, image_id)
    await in_thread(studio.gallery.delete, [image.id])


@router.post("/{image_id}/restore")
async def restore(image_id: str, studio: StudioDep) -> SavedImage:
    """Bring a deleted picture back."""
    image = await in_thread(studio.gallery.find, image_id)
    await in_thread(studio.gallery.restore, [image.id])
    return await in_thread(studio.gallery.find, image.id)


@router.head("/{image_id}/file", include_in_schema=False)
@router.get(
    "/{image_id}/file", response_class=Response, responses=sends("image/png", "image/jpeg", "image/webp") | KEPT
)
async def file(
    image_id: str,
    studio: StudioDep,
    kind: Annotated[Literal["png", "jpeg", "webp"], Query(alias="format")] = "png",
    quality: Annotated[int | None, Query(ge=0, le=100)] = None,
    download: bool = False,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Get the PNG as it was saved, or a copy in another format, with the recipe inside; `quality` is for JPEG and WebP,
    `download=1` makes a browser store the file."""
    image, version = await in_thread(_with_version, studio, image_id)
    headers = _headers(f"{version}-{kind}" if quality is None else f"{version}-{kind}-{quality}")
    if is_held(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    name = PurePath(image.path or image.id).with_suffix(f".{ENDINGS[kind]}").name
    headers["Content-Disposition"] = _disposition("attachment" if download else "inline", name)
    png = await in_thread(studio.gallery.png, image_id)
    data = png if kind == "png" else await in_thread(formats.export, png, kind, quality)
    return Response(data, 200, headers, f"image/{kind}")


@router.head("/{image_id}/thumbnail", include_in_schema=False)
@router.get("/{image_id}/thumbnail", response_class=Response, responses=sends("image/webp") | KEPT)
async def thumbnail(
    image_id: str,
    studio: StudioDep,
    side: Annotated[int, Query(ge=32, le=512)] = 256,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Get a small WebP, at most `side` pixels wide and high."""
    _, version = await in_thread(_with_version, studio, image_id)
    headers = _headers(f"{version}-{side}")
    if is_held(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(await in_thread(studio.gallery.thumbnail, image_id, side), 200, headers, "image/webp")


@router.get("/{image_id}/verify")
async def verdict(image_id: str, studio: StudioDep) -> Verdict:
    """Tell whether the picture's pixels are those that were made."""
    return await in_thread(lambda: verify(studio.gallery.png(image_id)))


@router.get("/{first_id}/difference/{second_id}")
async def compare(first_id: str, second_id: str, studio: StudioDep) -> Difference:
    """Measure how far two pictures of one size are apart."""
    gallery = studio.gallery
    return await in_thread(lambda: difference.measure(gallery.png(first_id), gallery.png(second_id)))


@router.get("/{first_id}/difference/{second_id}/map", response_class=Response, responses=sends("image/png"))
async def compare_on_a_map(
    first_id: str, second_id: str, studio: StudioDep, gain: Annotated[float, Query(ge=1, le=255)] = 8
) -> Response:
    """Draw where two pictures of one size differ, as a PNG: the difference of every value, times `gain`."""
    gallery = studio.gallery
    png = await in_thread(lambda: difference.map_png(gallery.png(first_id), gallery.png(second_id), gain))
    return Response(png, 200, {"Cache-Control": "private, max-age=3600"}, "image/png")


def _family(studio: Studio, image_id: str) -> Family:
    image = studio.gallery.find(image_id)
    gallery = studio.gallery
    before = gallery.ancestors(image)
    return Family(parent=before[-1] if before else None, ancestors=before, children=gallery.children(image))


def _with_version(studio: Studio, image_id: str) -> tuple[SavedImage, str]:
    image = studio.gallery.find(image_id)
    return image, studio.gallery.version(image)


def _headers(version: str) -> dict[str, str]:
    return {"ETag": f'"{version}"', "Cache-Control": CACHING, "X-Content-Type-Options": "nosniff"}


def _disposition(how: str, name: str) -> str:
    """What a browser does with a file and what it calls it, by RFC 6266: a header holds no letters but those of ASCII,
    and a person may name a picture in any."""
    quoted = quote(name)
    return f'{how}; filename="{name}"' if quoted == name else f"{how}; filename*=utf-8''{quoted}"
