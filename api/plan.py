"""What a model needs, told before anything is downloaded."""

from __future__ import annotations

from fastapi import APIRouter

from api.access import StudioDep, in_thread
from pipeline.models.planning.plan import Plan
from pipeline.request import GenerationRequest, Prompt

router = APIRouter(prefix="/api/v1", tags=["models"])


class PlanRequest(GenerationRequest):
    """A request whose prompt may be left out: it does not change what is needed."""

    prompt: Prompt = "a plan"


@router.post("/plan")
async def plan(request: PlanRequest, studio: StudioDep) -> Plan:
    """Whether a request fits this machine and how: placement, precision and bytes of each component, peak memory,
    download, and, when it does not fit, what would."""
    return await in_thread(studio.plan, request)
