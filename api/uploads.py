"""Pictures that requests work from: brought along once, then named by their id."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

from api.access import StudioDep, in_thread
from pipeline.errors import InvalidRequest, NotFound
from pipeline.pictures.desk import Taken
from pipeline.studio import Studio

PREFIX = "/api/v1/uploads"
MAX_BYTES = 64 * 2**20
"""Of one file."""
FOREVER = "private, max-age=31536000, immutable"
"""The id of a picture is the hash of its pixels."""

router = APIRouter(prefix=PREFIX, tags=["pictures to work from"])


class Upload(BaseModel):
    """A picture that a request can name as its `image` or `mask`."""

    id: str
    width: int
    height: int
    notes: tuple[str, ...]
    """A sentence for each thing that was done to it."""

    @classmethod
    def of(cls, taken: Taken) -> Upload:
        return cls(**taken._asdict())


@router.post(
    "",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(
    request: Request, studio: StudioDep, wanted: Annotated[Literal["image", "mask"], Query(alias="as")] = "image"
) -> Upload:
    """Bring a picture along: the body is the file. Of a mask, what is white is drawn anew."""
    data = await request.body()
    if not data:
        raise InvalidRequest("The file is empty.", "Send a picture as the body.", field="file")
    take = studio.desk.take if wanted == "image" else studio.desk.take_mask
    return Upload.of(await in_thread(take, data))


@router.post("/from-image/{image_id}", status_code=201)
async def from_gallery(image_id: str, studio: StudioDep) -> Upload:
    """Take a picture of the gallery to work from."""
    return Upload.of(await in_thread(_take_saved, studio, image_id))


@router.get("/{upload_id}", response_class=FileResponse)
async def file(upload_id: str, studio: StudioDep) -> Response:
    """The picture as it was taken, a PNG."""
    path = await in_thread(studio.inputs.path, upload_id)
    if not await in_thread(path.is_file):
        raise NotFound("That picture is not kept any more.", "Bring it along once more.")
    headers = {"Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, 200, headers, "image/png", content_disposition_type="inline")


def _take_saved(studio: Studio, image_id: str) -> Taken:
    return studio.desk.take(studio.gallery.find(image_id))
