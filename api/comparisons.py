"""Comparisons: start a whole sheet of pictures, look at it, stop it, go on with it, and take it away."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import WrapValidator

from api.access import A_FILE, KEPT, ClientDep, StudioDep, in_pieces, in_thread, is_held, sends
from pipeline.compare.comparisons import ComparisonState
from pipeline.compare.export import folder_name
from pipeline.compare.grid import Comparison, parse_comparison
from pipeline.compare.measure import Measurement
from pipeline.compare.sheet import read_comparison

router = APIRouter(prefix="/api/v1/comparisons", tags=["comparisons"])


def _parse(data: object, _: object) -> Comparison:
    return parse_comparison(data)


Body = Annotated[Comparison, WrapValidator(_parse)]
"""Read by `parse_comparison`, whose sentences name the setting at fault."""

Private: Any = {"client": True, "cells": {"__all__": {"job": {"client": True}}}}
IfNoneMatch = Annotated[str | None, Header()]


@router.post("", status_code=202, response_model_exclude=Private)
async def start(comparison: Body, studio: StudioDep, client: ClientDep, response: Response) -> ComparisonState:
    """Start a comparison: queue every picture, or none when one of them cannot be made. The
    `comparison.json` of a downloaded folder is such a body: sent again, it makes the same pictures."""
    state = await in_thread(studio.comparisons.start, comparison, client=client)
    response.headers["Location"] = f"{router.prefix}/{state.id}"
    return state


@router.post("/read", openapi_extra=A_FILE)
async def read(request: Request) -> Comparison:
    """Read the comparison that a file holds: a downloaded sheet, or the `comparison.json` of its folder. The body is
    the file; nothing is started."""
    return await in_thread(read_comparison, await request.body())


@router.get("", response_model_exclude={"__all__": Private})
async def newest(studio: StudioDep, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[ComparisonState]:
    """List the comparisons of every client, newest first."""
    return await in_thread(studio.comparisons.newest, limit=limit)


@router.get("/{comparison_id}", response_model_exclude=Private)
async def one(comparison_id: str, studio: StudioDep) -> ComparisonState:
    """Look at one comparison, with the job of each picture as it is now, row by row."""
    return await in_thread(studio.comparisons.find, comparison_id)


@router.post("/{comparison_id}/cancel", response_model_exclude=Private)
async def cancel(comparison_id: str, studio: StudioDep) -> ComparisonState:
    """Stop what is not finished. Pictures that are there stay."""
    await in_thread(studio.comparisons.cancel, comparison_id)
    return await in_thread(studio.comparisons.find, comparison_id)


@router.post("/{comparison_id}/resume", status_code=202, response_model_exclude=Private)
async def resume(comparison_id: str, studio: StudioDep) -> ComparisonState:
    """Resume a comparison: queue again what is missing, failed, cancelled and deleted pictures."""
    return await in_thread(studio.comparisons.resume, comparison_id)


@router.delete("/{comparison_id}", status_code=204)
async def forget(comparison_id: str, studio: StudioDep) -> None:
    """Remove the comparison and stop what is not finished. Its pictures stay in the gallery."""
    await in_thread(studio.comparisons.forget, comparison_id)


@router.get("/{comparison_id}/sheet", response_class=Response, responses=sends("image/png") | KEPT)
async def sheet(
    comparison_id: str, studio: StudioDep, download: bool = False, if_none_match: IfNoneMatch = None
) -> Response:
    """Get the labelled contact sheet, a PNG that carries the comparison. It changes as long as pictures come."""
    state = await in_thread(studio.comparisons.find, comparison_id)
    headers = {
        "ETag": _tag(state),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'{"attachment" if download else "inline"}; filename="{folder_name(state)}.png"',
        "X-Content-Type-Options": "nosniff",
    }
    if is_held(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(await in_thread(studio.comparisons.sheet, comparison_id), 200, headers, "image/png")


@router.get("/{comparison_id}/archive", response_class=StreamingResponse, responses=sends("application/zip"))
async def archive(comparison_id: str, studio: StudioDep) -> Response:
    """Download a ZIP of a folder: the sheet, the comparison as JSON, and every picture, named by its place."""
    state = await in_thread(studio.comparisons.find, comparison_id)
    pieces = await in_thread(studio.comparisons.archive, comparison_id)
    headers = {"Content-Disposition": f'attachment; filename="{folder_name(state)}.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(in_pieces(pieces), 200, headers, "application/zip")


@router.get("/{comparison_id}/measurements")
async def measurements(
    comparison_id: str, studio: StudioDep, reference: Annotated[int, Query(ge=0)] = 0
) -> tuple[Measurement, ...]:
    """Measure what each picture took, and how far it is from that of the cell `reference`, counted row by row."""
    return await in_thread(studio.comparisons.measurements, comparison_id, reference)


def _tag(state: ComparisonState) -> str:
    """Changes whenever the sheet does."""
    cells = [[image.id for image in cell.job.images] or cell.job.status for cell in state.cells]
    return f'"{hashlib.sha256(repr(cells).encode()).hexdigest()[:16]}"'
