"""Kling's images: an order makes a task, which is looked at until its pictures can be fetched. There is no official
package; what its API reference says is spoken here over plain HTTP, each request signed with a token of its own.

Once a task is there it is paid for. So it is waited for also when the job is cancelled, a look that tells nothing is
repeated, and an error names the task, unless Kling itself gave it up.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt
from PIL import Image
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from pipeline.errors import DarkroomError, ProviderFailed
from pipeline.hosted import refusals
from pipeline.hosted.call import Arrival, Call, Transient, Watch
from pipeline.hosted.enclose import encoded
from pipeline.hosted.providers import kling_answers as answers
from pipeline.hosted.providers.download import fetched
from pipeline.hosted.retry import in_turn, patiently

GENERATIONS = "/v1/images/generations"
OMNI = "/v1/images/omni-image"
"""Where several pictures may be given to work from; `HostedModel.endpoint` of the models that are asked there."""
VALID = 1800
"""Seconds for which a token holds, as the reference has it."""
EARLIER = 5
"""Seconds by which a token holds before now, for clocks that differ a little."""
TIMEOUT = httpx2.Timeout(60.0, connect=20.0)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 5.0
"""Seconds between the first two looks at a task, and most between later ones."""
PATIENCE = 600.0
"""Seconds after which a task is not waited for any longer. Who is next to order waits as long for room, since by then
none of this studio's tasks holds it any more."""
LONGEST_SIDE, MOST_BYTES = 4096, 10 * 10**6
"""Of a picture that is sent. Kling takes ten megabytes, and makes nothing that is larger than 4K."""
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol)
"""What is raised while nothing has reached Kling yet."""
CONTENT_WORDS = ("risk", "sensitive", "policy", "violat", "prohibit", "风控", "敏感", "违规")
"""Of which one stands in the reason of a task that failed for its content; the reference names no codes for that."""


def make(call: Call, watch: Watch) -> list[Arrival]:
    """As `Adapter.make`."""
    with httpx2.Client(base_url=call.base_url, timeout=TIMEOUT, auth=_signing(call)) as client:
        task_id = call.task or _ordered(client, call, watch)
        done = _awaited(client, call, task_id)
    return _arrivals(call, watch, done)


def _signing(call: Call) -> Callable[[httpx2.Request], httpx2.Request]:
    """Signs each request anew: a job may take longer than a token holds."""
    access, secret = call.keys.values()

    def signed(request: httpx2.Request) -> httpx2.Request:
        now = int(time.time())
        claims = {"iss": access, "exp": now + VALID, "nbf": now - EARLIER}
        token = jwt.encode(claims, secret, algorithm="HS256")
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return signed


# -- the order ----------------------------------------------------------------------------------------------------


def _ordered(client: httpx2.Client, call: Call, watch: Watch) -> str:
    """Order the pictures; the id of their task. The watch notes it before anything else is done."""
    body = _body(call)
    task_id = patiently(watch, lambda: in_turn(watch, lambda: _created(client, call, body), PATIENCE))
    watch.task(task_id)
    return task_id


def _body(call: Call) -> dict[str, Any]:
    ratio, resolution = call.model.size.nearest(*call.size)
    body = {
        "model_name": call.model.source,
        "prompt": call.request.prompt,
        "n": call.count,
        "aspect_ratio": ratio,
        "resolution": resolution,
    }
    if negative := call.model.negative(call.request):
        body["negative_prompt"] = negative
    if call.image is None:
        return body
    file = base64.b64encode(_file(call.image)).decode()
    return body | ({"image_list": [{"image": file}]} if _path(call) == OMNI else {"image": file})


def _created(client: httpx2.Client, call: Call, body: dict[str, Any]) -> str:
    """Order once; the id of the task. Raises `Transient` only where certainly nothing was ordered."""
    try:
        response = client.post(_path(call), json=body)
    except NOT_SENT as error:
        raise Transient(refusals.unreachable(call, refusals.named(error))) from error
    except httpx2.RequestError as error:
        raise refusals.cut_off(call, type(error).__name__) from error
    answer = answers.read(response)
    if answer is None:
        raise answers.unreadable(call, response)
    if answer.code:
        raise answers.explained(call, answer, response)
    if not answer.data.task_id:
        raise refusals.cut_off(call, "an answer that names no task")
    return answer.data.task_id


# -- the task -----------------------------------------------------------------------------------------------------


def _awaited(client: httpx2.Client, call: Call, task_id: str) -> answers.Answer:
    """Look at a task until its pictures are there."""
    retrying = Retrying(
        retry=retry_if_exception_type(Transient),
        wait=wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
        stop=stop_after_delay(PATIENCE),
        reraise=True,
    )
    try:
        return retrying(_looked, client, call, task_id)
    except Transient as failure:
        raise failure.error from None


def _looked(client: httpx2.Client, call: Call, task_id: str) -> answers.Answer:
    """Look once. Raises `Transient` while the end of the task is not known."""
    try:
        response = client.get(f"{_path(call)}/{task_id}")
    except httpx2.RequestError as error:
        raise Transient(_left(call, task_id, type(error).__name__)) from error
    answer = answers.read(response)
    if answer is None or answer.code in answers.PASSING:
        said = f"HTTP {response.status_code}" if answer is None else answer.said
        raise Transient(_left(call, task_id, said))
    if answer.code:
        raise _left(call, task_id, answer.said)
    if answer.data.task_status == "failed":
        raise _failed(call, answer.data.task_status_msg or "no reason given")
    if answer.data.task_status != "succeed":
        raise Transient(_left(call, task_id, f"still {answer.data.task_status}"))
    if not answer.data.task_result.images:
        raise refusals.malformed(call, f"task {task_id} without pictures")
    return answer


def _left(call: Call, task_id: str, said: str) -> ProviderFailed:
    """Nothing more can be heard of a task that is paid for: whoever looks for it there needs its id."""
    return refusals.cut_off(call, f"task {task_id}: {said}")


def _failed(call: Call, said: str) -> DarkroomError:
    """A task that Kling gave up."""
    if any(word in said.lower() for word in CONTENT_WORDS):
        return refusals.content_refused(call, said)
    return refusals.busy(call, said)


def _arrivals(call: Call, watch: Watch, done: answers.Answer) -> list[Arrival]:
    """The pictures of a task; those that can be fetched, if others cannot."""
    arrivals, lost = [], []
    for image in done.data.task_result.images:
        try:
            arrivals.append(Arrival(fetched(call, image.url), request_id=done.request_id or ""))
        except ProviderFailed as error:
            lost.append(error)
    if not arrivals:
        raise lost[0]
    for loss in lost:
        watch.warn(loss.info.sentence)
    return arrivals


# -- small ones ---------------------------------------------------------------------------------------------------


def _path(call: Call) -> str:
    return call.model.endpoint or GENERATIONS


def _file(image: Image.Image) -> bytes:
    """A file that Kling takes: PNG, or JPEG where that would be too large."""
    small = image.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    png = encoded(small, "PNG")
    return png if len(png) <= MOST_BYTES else encoded(small, "JPEG", quality=90)
