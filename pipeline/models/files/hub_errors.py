"""Turns what the hub, the network and the disk raise while files are fetched into sentences with a next step."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

from pipeline.errors import ModelUnavailable
from pipeline.models.files import hub
from pipeline.models.registry import ModelRecord

_GOES_ON = "a download goes on where it stopped"


@contextmanager
def explained(record: ModelRecord) -> Iterator[None]:
    """Raise what the block raises as `ModelUnavailable` where the hub, the network or the disk is to blame."""
    try:
        yield
    except Exception as error:
        explanation = explain(error, record)
        if explanation is None:
            raise
        raise explanation from None


def explain(error: BaseException, record: ModelRecord) -> ModelUnavailable | None:
    """What `error` means to somebody who wants `record`; None when it is no matter of fetching."""
    for explanation in _EXPLANATIONS:
        if (found := explanation(error, record)) is not None:
            return ModelUnavailable(found[0], found[1], field="model")
    return None


def seconds_to_wait(error: HfHubHTTPError) -> int | None:
    """Seconds after which the hub wants to be asked again (`Retry-After`, or its own rate limit's end)."""
    headers = error.response.headers
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds
    after = headers.get("Retry-After", "")
    return int(after) if after.isdigit() else None


Sentences = tuple[str, str]
"""Message and remedy."""


def _gated(error: BaseException, record: ModelRecord) -> Sentences | None:
    if not isinstance(error, GatedRepoError):
        return None
    page = f"https://huggingface.co/{error.repo_id or record.source}"
    if hub.has_token():
        message = f"{record.name} is gated, and the account of this Hugging Face token has not been let in."
        return message, f"Accept the licence at {page} with that account, then try again."
    message = f"{record.name} is gated, and no Hugging Face token is set."
    return message, f"Accept the licence at {page}, then set HF_TOKEN and start again."


def _unknown(error: BaseException, record: ModelRecord) -> Sentences | None:
    if isinstance(error, RevisionNotFoundError):
        message = f"The repository of {record.name} has no branch {hub.BRANCH}."
        return message, "Choose another repository."
    if not isinstance(error, RepositoryNotFoundError | HFValidationError):
        return None
    name = getattr(error, "repo_id", None) or record.source
    return (
        f"There is no folder {name} here, and the hub knows no such model or keeps it private.",
        "Check the source in the model's record; for a private model set HF_TOKEN.",
    )


def _offline(error: BaseException, record: ModelRecord) -> Sentences | None:
    if not isinstance(error, OfflineModeIsEnabled):
        return None
    info = hub.offline(record).info
    return info.message, info.remedy


def _network(error: BaseException, record: ModelRecord) -> Sentences | None:
    if not isinstance(error, httpx2.TransportError | ConnectionError | LocalEntryNotFoundError):
        return None
    where = f"the hub at {constants.ENDPOINT}"
    if isinstance(error, httpx2.ProxyError):
        message = f"{record.name} cannot be fetched: the proxy does not pass on requests to {where} ({error})."
        return message, "Check HTTPS_PROXY and HTTP_PROXY, or set NO_PROXY for that address."
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        message = f"{record.name} cannot be fetched: the certificate of {where} is not trusted here."
        return message, "Behind a proxy that reads traffic, set SSL_CERT_FILE to its certificate."
    if isinstance(error, httpx2.ReadTimeout):
        message = f"{record.name} could not be fetched: {where} sent nothing for {constants.HF_HUB_DOWNLOAD_TIMEOUT} s."
        return message, f"Try again; {_GOES_ON}. On a slow network set HF_HUB_DOWNLOAD_TIMEOUT to more seconds."
    if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError | httpx2.WriteError):
        message = f"{record.name} could not be fetched: {where} broke off the connection again and again."
        return message, f"Try again later; {_GOES_ON}."
    message = f"{record.name} is not complete on this computer, and {where} cannot be reached."
    return message, f"Check the network connection and try again; {_GOES_ON}."


def _refused(error: BaseException, record: ModelRecord) -> Sentences | None:
    if isinstance(error, EntryNotFoundError):
        message = f"{record.source} on the hub is not a diffusers checkpoint: {_first_line(error)}"
        return message, "Choose a repository that has a model_index.json."
    if not isinstance(error, HfHubHTTPError):
        return None
    status = error.response.status_code
    if status == 401:
        message = f"The hub does not accept the Hugging Face token that is set; {record.name} was not fetched."
        return message, "Set HF_TOKEN to a valid token, or unset it for a model without a gate."
    if status == 403:
        message = f"The hub does not let this account read {record.name}: {_first_line(error)}"
        return message, "Give the token the right to read it, or choose another model."
    if status == 429:
        seconds = seconds_to_wait(error)
        message = f"The hub has had too many requests from here; {record.name} was not fetched."
        when = f"in {seconds} s" if seconds else "in a few minutes"
        return message, f"Try again {when}; {_GOES_ON}. With HF_TOKEN set, more requests are allowed."
    if status >= 500:
        message = f"The hub at {constants.ENDPOINT} has a fault (HTTP {status}); {record.name} was not fetched."
        return message, f"Try again later; {_GOES_ON}."
    return f"The hub refused to send {record.name}: {_first_line(error)}", "Try again later, or check HF_TOKEN."


def _disk(error: BaseException, record: ModelRecord) -> Sentences | None:
    if not isinstance(error, OSError):
        return None
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        message = f"The disk of {hub.cache_folder()} is full; {record.name} could not be stored."
        return message, f"Free some space, or set HF_HOME to a larger disk; {_GOES_ON}."
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM} and _in_cache(error):
        info = hub.read_only(record).info
        return info.message, info.remedy
    return None


def _in_cache(error: OSError) -> bool:
    return str(error.filename or "").startswith(str(hub.cache_folder()))


def _first_line(error: BaseException) -> str:
    """What the error says, without the addresses and request numbers that follow."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


_EXPLANATIONS: tuple[Callable[[BaseException, ModelRecord], Sentences | None], ...] = (
    _gated,
    _unknown,
    _offline,
    _network,
    _refused,
    _disk,
)
