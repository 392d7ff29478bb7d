"""OpenAI's interface to pictures, for programs that are written for it: a client needs another `base_url`, no more.

`docs/openai.md` says what of it is honoured, and what is ignored and told in the answer's `warnings`.
"""

from __future__ import annotations

from fastapi import APIRouter

from api.openai import images, models
from api.openai.answer import Failure

router = APIRouter(
    prefix="/v1", tags=["as OpenAI has it"], responses={"4XX": {"model": Failure}, "5XX": {"model": Failure}}
)
router.include_router(images.router)
router.include_router(models.router)
