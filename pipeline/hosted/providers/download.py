"""A picture that a provider gives by address: fetched before the address expires.

It is made and paid for by then, and fetching costs nothing. So whatever may pass is tried again, and what fails in the
end names the address, for a person to fetch it.
"""

from __future__ import annotations

import httpx2
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from pipeline.errors import ProviderFailed
from pipeline.hosted import refusals
from pipeline.hosted.call import Call, Transient
from pipeline.hosted.keys import without_keys

ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 16.0
"""Seconds before the second attempt, and most before a later one; each pause is twice as long as the one before."""
TIMEOUT = httpx2.Timeout(60.0, connect=20.0)
"""Seconds to wait for the next bytes, and for a connection."""
MOST_BYTES = 64 * 2**20


def fetched(call: Call, url: str) -> bytes:
    """The file at an address that a provider's answer names: at most `MOST_BYTES`, over http or https, also where it
    leads on to another one. No key is sent there, and a job that is cancelled does not end it.

    Raises `ProviderFailed`, whose remedy holds the address.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(Transient),
        wait=wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
    try:
        return retrying(_received, call, url)
    except Transient as failure:
        raise _by_hand(call, failure.error.info.message, url) from None
    except ProviderFailed as error:
        raise _by_hand(call, error.info.message, url) from None


def _received(call: Call, url: str) -> bytes:
    try:
        with (
            httpx2.Client(follow_redirects=True, timeout=TIMEOUT) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            answer.raise_for_status()
            data = _bounded(call, answer)
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects) as error:
        raise refusals.malformed(call, f"an address that leads nowhere: {error}") from error
    except httpx2.HTTPStatusError as error:
        raise Transient(refusals.cut_off(call, f"HTTP {error.response.status_code} for the picture")) from error
    except httpx2.RequestError as error:
        raise Transient(refusals.cut_off(call, f"{type(error).__name__} while the picture came")) from error
    if not data or data.lstrip()[:1] == b"<":
        raise refusals.malformed(call, "a page instead of a picture" if data else "an empty file")
    return data


def _bounded(call: Call, answer: httpx2.Response) -> bytes:
    """The content, received no further than it may be long."""
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > MOST_BYTES:
            raise refusals.malformed(call, f"a file of more than {MOST_BYTES >> 20} MiB")
    return bytes(data)


def _by_hand(call: Call, message: str, url: str) -> ProviderFailed:
    """In quotation marks, which the job log leaves out: whoever has the address has the picture."""
    address = without_keys(url, call.keys.values())
    return ProviderFailed(message, f"The picture is made and paid for: save it from “{address}” before that expires.")
