"""A job that is asked for again under the same key, and shall be made once."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import InvalidRequest
from pipeline.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class Once:
    """The idempotency key of a request, and the request as it was asked for, with nothing drawn yet."""

    key: str
    asked: GenerationRequest

    def check(self, earlier: GenerationRequest) -> None:
        """Raise `InvalidRequest` when the key was used for another request: to answer with that one's job would hide
        a mistake. `earlier` has the seed of its variation drawn, if that was left open."""
        drawn = {} if self.asked.variation_seed >= 0 else {"variation_seed": earlier.variation_seed}
        if self.asked.model_copy(update=drawn) != earlier:
            raise InvalidRequest(
                "This Idempotency-Key was used for another request.",
                "Send a new key with a new request; the same key only with the very same request.",
                field="Idempotency-Key",
            )
