"""Pictures that requests work from: brought along once, then named by their id."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.access import A_FILE, StudioDep, in_thread, sends
from pipeline.errors import InvalidRequest, NotFound
from pipeline.inputs import Selection, size_of
from pipeline.pictures.desk import Source, Taken
from pipeline.pictures.edges import HIGH, LOW
from pipeline.pictures.fit import Size
from pipeline.studio import Studio

PREFIX = "/api/v1/uploads"
MAX_BYTES = 64 * 2**20
"""Of one file."""
FOREVER = "private, max-age=31536000, immutable"
"""The id of a picture is the hash of its pixels."""

router = APIRouter(prefix=PREFIX, tags=["uploads"])


class Wanted(BaseModel):
    """What is made of a file."""

    kind: Literal["image", "mask", "edges"] = Field("image", alias="as")
    low: float = Field(LOW, description="Of edges: the strength down to which a line goes on, 0 to 4.")
    high: float = Field(HIGH, description="Of edges: the strength at which a line begins, 0 to 4.")
    width: int | None = Field(None, ge=64, le=8192, description="Of edges: of the picture that will follow them.")
    height: int | None = Field(None, ge=64, le=8192, description="Of edges: of the picture that will follow them.")

    @property
    def size(self) -> Size | None:
        """The size at which edges are found; None for the file's own."""
        return (self.width, self.height) if self.width and self.height else None


class Upload(BaseModel):
    """A picture that a request can name as its `image` or `mask`, or as a map of one of its `controls`."""

    id: str
    width: int
    height: int
    notes: tuple[str, ...]
    """A sentence for each thing that was done to it."""

    @classmethod
    def of(cls, taken: Taken) -> Upload:
        return cls(**taken._asdict())


@router.post("", status_code=201, openapi_extra=A_FILE)
async def upload(request: Request, studio: StudioDep, wanted: Annotated[Wanted, Query()]) -> Upload:
    """Bring a picture along: the body is the file. Of a mask, what is white is drawn anew. As `edges`, the edges of the
    picture are kept, a map for a ControlNet; what is a map already is an `image`."""
    data = await request.body()
    if not data:
        raise InvalidRequest("The file is empty.", "Send a picture as the body.", field="file")
    return Upload.of(await in_thread(_take, studio, data, wanted))


@router.post("/from-image/{image_id}", status_code=201)
async def from_gallery(image_id: str, studio: StudioDep, wanted: Annotated[Wanted, Query()]) -> Upload:
    """Take a picture of the gallery to work from, or its edges to follow."""
    saved = await in_thread(studio.gallery.find, image_id)
    return Upload.of(await in_thread(_take, studio, saved, wanted))


@router.post("/{upload_id}/select", status_code=201)
async def select(upload_id: str, selection: Selection, studio: StudioDep) -> Upload:
    """Find what is pointed at in a picture, for which a segmentation model is needed. The answer is a mask, white where
    it is; it waits for the job that the worker has in hand."""
    mask = await asyncio.wrap_future(await in_thread(studio.select, upload_id, selection))
    width, height = size_of(mask)
    return Upload(id=mask, width=width, height=height, notes=())


@router.head("/{upload_id}", include_in_schema=False)
@router.get("/{upload_id}", response_class=Response, responses=sends("image/png"))
async def file(upload_id: str, studio: StudioDep) -> Response:
    """Get the picture as it was taken, a PNG."""
    path = await in_thread(studio.inputs.path, upload_id)
    try:
        png = await in_thread(path.read_bytes)
    except OSError:
        raise NotFound("That picture is not kept any more.", "Bring it along once more.") from None
    return Response(png, 200, {"Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}, "image/png")


def _take(studio: Studio, source: Source, wanted: Wanted) -> Taken:
    if wanted.kind == "edges":
        return studio.desk.take_edges(source, wanted.low, wanted.high, wanted.size)
    return studio.desk.take_mask(source) if wanted.kind == "mask" else studio.desk.take(source)
