"""The providers of hosted models: whether they can be asked, and that prompts may go there."""

from __future__ import annotations

from fastapi import APIRouter

from api.access import StudioDep, in_thread
from pipeline.hosted.facts import ProviderFacts

router = APIRouter(prefix="/api/v1/providers", tags=["models"])


@router.get("")
async def providers(studio: StudioDep) -> list[ProviderFacts]:
    """List who makes pictures elsewhere, whether they can be asked from here, and if not, what to set. Keys are never
    told. Empty when hosted models are off."""
    states = await in_thread(lambda: studio.hosted.providers)
    return [ProviderFacts.of(state) for state in states]


@router.post("/{provider_id}/acknowledge")
async def acknowledge(provider_id: str, studio: StudioDep) -> ProviderFacts:
    """Note that prompts may go to a provider. Until then every job there carries a warning that its prompt is sent."""
    return ProviderFacts.of(await in_thread(studio.hosted.acknowledge, provider_id))
