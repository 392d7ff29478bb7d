"""Chains that are kept under a name: list, look at, keep, forget. To run one, send its request as a job."""

from __future__ import annotations

from fastapi import APIRouter

from api.access import StudioDep, in_thread
from pipeline.chains import Chain
from pipeline.request import GenerationRequest

router = APIRouter(prefix="/api/v1/chains", tags=["chains"])


@router.get("")
async def every(studio: StudioDep) -> list[Chain]:
    """List the kept chains, by name."""
    return await in_thread(studio.chains.all)


@router.get("/{name}")
async def one(name: str, studio: StudioDep) -> Chain:
    """Look at one chain."""
    return await in_thread(studio.chains.find, name)


@router.put("/{name}")
async def keep(name: str, request: GenerationRequest, studio: StudioDep) -> Chain:
    """Keep what a request with `then` does, without its seeds and its picture; one of the same name is replaced."""
    return await in_thread(studio.chains.keep, name, request)


@router.delete("/{name}", status_code=204)
async def forget(name: str, studio: StudioDep) -> None:
    """Forget a chain. Its pictures stay."""
    await in_thread(studio.chains.remove, name)
