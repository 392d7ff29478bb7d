"""What a request needs and takes, told before anything is downloaded or queued."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.access import ClientDep, StudioDep, in_thread
from pipeline.estimate import Estimate
from pipeline.models.planning.plan import Plan
from pipeline.models.tokens import TokenCount
from pipeline.request import MAX_PROMPT_CHARACTERS, GenerationRequest, Prompt

router = APIRouter(prefix="/api/v1", tags=["plans"])


class PlanRequest(GenerationRequest):
    """A request whose prompt may be left out: it does not change what is needed."""

    prompt: Prompt = "a plan"


class TokensRequest(BaseModel):
    """A prompt, and the model that would read it."""

    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS, description="The words to count.")]
    model: Annotated[str, Field(max_length=200)] | None = Field(None, description="None is the studio's default.")


@router.post("/plan")
async def plan(request: PlanRequest, studio: StudioDep) -> Plan:
    """Tell whether a request fits this machine and how: placement, precision and bytes of each component, peak memory,
    download, and, when it does not fit, what would."""
    return await in_thread(studio.plan, request)


@router.post("/estimate")
async def estimate(request: PlanRequest, studio: StudioDep, client: ClientDep) -> Estimate:
    """Tell how long a request would take if it were queued now; also how long it would wait, and the memory that it
    needs, by the pictures that were made here before."""
    return await in_thread(studio.estimate, request, client=client)


@router.post("/tokens")
async def tokens(request: TokensRequest, studio: StudioDep) -> TokenCount:
    """Count the tokens of a prompt; also tell how many the model reads, and which end of it would not be read."""
    return await in_thread(lambda: studio.count_tokens(request.model or studio.default.record.id, request.prompt))
