"""What Kling answers, and what its errors mean to an order.

Source of the codes: “Error Code” in the general part of its API reference. Where a code leaves open whether something
was ordered, it counts as ordered.
"""

from __future__ import annotations

from typing import Annotated, Any

import httpx2
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from pipeline.errors import DarkroomError
from pipeline.hosted import refusals
from pipeline.hosted.call import Call, Crowded, Transient

TOO_MANY = httpx2.codes.TOO_MANY_REQUESTS
PASSING = {1302, 1303, 5000, 5001, 5002}
"""Codes of what is over after a while: too many requests or tasks, or trouble of Kling's own."""


def _or_default(value: Any) -> Any:
    """An answer without content has `null`, an empty text or nothing there."""
    return value if isinstance(value, dict) else {}


class Image(BaseModel):
    """A finished picture, which lies there for thirty days."""

    url: str


class Result(BaseModel):
    """What came of a task."""

    images: list[Image] = []


class Task(BaseModel):
    """An order: `submitted`, `processing`, `succeed` or `failed`."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    task_id: str = ""
    task_status: str = ""
    task_status_msg: str | None = None
    task_result: Annotated[Result, BeforeValidator(_or_default)] = Result()


class Answer(BaseModel):
    """What each request is answered with; a `code` other than 0 is an error, whatever the HTTP status is."""

    code: int
    message: str | None = None
    request_id: str | None = None
    data: Annotated[Task, BeforeValidator(_or_default)] = Task()

    @property
    def said(self) -> str:
        """Its own words, and the code by which they are looked up."""
        return f"{self.message or 'no reason given'} (code {self.code})"


def read(response: httpx2.Response) -> Answer | None:
    """Kling's own answer; None where it is something else."""
    try:
        answer = Answer.model_validate_json(response.content)
    except ValidationError:
        return None
    return answer if answer.code or response.is_success else None


def unreadable(call: Call, response: httpx2.Response) -> DarkroomError | Transient:
    """What an answer means that is not Kling's own, such as that of a gateway before it: with any but a refusal, the
    order may have been carried out."""
    said = f"HTTP {response.status_code}"
    if response.status_code == TOO_MANY:
        return Transient(refusals.too_often(call, said), _retry_after(response))
    if response.is_client_error:
        return refusals.malformed(call, said)
    return refusals.cut_off(call, said)


def explained(call: Call, answer: Answer, response: httpx2.Response) -> DarkroomError | Transient:
    """What an error of Kling's own means to an order."""
    retry_after = _retry_after(response)
    match answer.code:
        case 1003 | 1004:
            remedy = "Set the clock of this machine, which may be wrong: Kling takes a signature for half an hour only."
            return _with_remedy(refusals.key_refused(call), remedy)
        case 1000 | 1001 | 1002:
            return refusals.key_refused(call)
        case 1100 | 1103:
            remedy = f"The account may not use {call.model.source}: look after it at Kling, or choose another model."
            return _with_remedy(refusals.key_refused(call), remedy)
        case 1101 | 1102:
            return refusals.out_of_quota(call, answer.said)
        case 1200 | 1201:
            return refusals.not_taken(call, answer.said)
        case 1202 | 1203:
            return refusals.model_gone(call)
        case 1300 | 1301:
            return refusals.content_refused(call, answer.said)
        case 1302:
            return Transient(refusals.too_often(call, answer.said), retry_after)
        case 1303:
            return Crowded(refusals.crowded(call, answer.said), retry_after)
        case 1304:
            remedy = "Add the address of this machine to the white list of the account at Kling, then run it again."
            return _with_remedy(refusals.not_taken(call, answer.said), remedy)
        case 5000 | 5001:
            return Transient(refusals.busy(call, answer.said), retry_after)
        case 5002:  # a time-out inside Kling: the order may be in its line all the same
            return refusals.cut_off(call, answer.said)
    return refusals.busy(call, answer.said)


def _with_remedy(error: DarkroomError, remedy: str) -> DarkroomError:
    return type(error)(error.info.message, remedy, field=error.info.field)


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds after which Kling wants to be asked again, if it says so."""
    after = response.headers.get("Retry-After", "")
    return float(after) if after.isdecimal() else None
