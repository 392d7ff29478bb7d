"""Whether pictures are as they were made, and whether their recipes still make them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.access import A_FILE, ClientDep, StudioDep, in_thread
from pipeline.errors import InvalidRequest
from pipeline.gallery.verify import Verdict, verify
from pipeline.rerun.judge import Rerun

router = APIRouter(prefix="/api/v1", tags=["verify"])


@router.post("/verify", openapi_extra=A_FILE)
async def verdict(request: Request, studio: StudioDep) -> Verdict:
    """Tell whether the pixels of a file, the body, are those that were made; it need not be one of the gallery, and is
    not kept."""
    data = await request.body()
    if not data:
        raise InvalidRequest("The file is empty.", "Send a picture as the body.", field="file")
    return await in_thread(verify, data, studio.settings.max_input_pixels)


@router.post("/images/{image_id}/rerun", status_code=202)
async def start(image_id: str, studio: StudioDep, client: ClientDep, response: Response) -> Rerun:
    """Make a picture again from its recipe, to compare the two: `job` can be followed and cancelled like any other, and
    the verdict is found with GET. While it is under way, the same once more changes nothing."""
    begun = await in_thread(studio.reruns.start, image_id, client=client)
    response.headers["Location"] = f"{router.prefix}/images/{image_id}/rerun"
    return begun


@router.get("/images/{image_id}/rerun")
async def found(image_id: str, studio: StudioDep) -> Rerun:
    """Look at what came of the last time that the picture was made again since the studio started: `making`,
    `identical`, `near`, `different` or `impossible`, with what has changed since it was made."""
    return await in_thread(studio.reruns.find, image_id)
