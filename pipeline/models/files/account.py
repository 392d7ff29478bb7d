"""The Hugging Face account of the token that is set: who it is, and what it may read. The token is never told."""

from __future__ import annotations

import httpx2
from huggingface_hub import HfApi, constants, get_session, get_token, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from pipeline.errors import ModelUnavailable
from pipeline.models.files.hub_errors import explained
from pipeline.models.registry import ModelRecord

_REFUSED = {401, 403}


def account() -> str:
    """Name of the account. Asks the hub; raises `ModelUnavailable` when no token is set, or when that fails."""
    if get_token() is None:
        raise ModelUnavailable("No Hugging Face token is set.", "Set HF_TOKEN and start the studio again.")
    try:
        url = f"{constants.ENDPOINT}/api/whoami-v2"
        answer = get_session().get(url, headers=build_hf_headers(), timeout=constants.HF_HUB_ETAG_TIMEOUT)
        hf_raise_for_status(answer)
        return str(answer.json()["name"])
    except OfflineModeIsEnabled:
        raise ModelUnavailable("HF_HUB_OFFLINE is set, so the hub is not asked.", "Unset it to ask.") from None
    except HfHubHTTPError as error:
        if error.response.status_code in _REFUSED:
            message = "The hub does not accept the token that is set: it is mistyped, expired or deleted."
            raise ModelUnavailable(message, "Make a new one and set HF_TOKEN to it.") from None
        raise ModelUnavailable(_unclear(f"status {error.response.status_code}"), "Try again later.") from None
    except (httpx2.TransportError, ValueError, KeyError, TypeError) as error:
        remedy = "Check this computer's network and HF_ENDPOINT."
        raise ModelUnavailable(_unclear(type(error).__name__), remedy) from None


def check_access(record: ModelRecord) -> None:
    """Ask the hub whether the account may read the checkpoint; raises `ModelUnavailable` when it may not."""
    with explained(record):
        HfApi().auth_check(record.source)


def _unclear(why: str) -> str:
    return f"The hub at {constants.ENDPOINT} gave no answer that tells whose token it is ({why})."
