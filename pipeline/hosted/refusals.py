"""What providers refuse or fail at, as errors of ours: each with what to do next, and none with a key in it."""

from __future__ import annotations

from pipeline.errors import (
    ContentRefused,
    DarkroomError,
    InvalidRequest,
    KeyMissing,
    ModelRetired,
    ProviderFailed,
    QuotaExceeded,
)
from pipeline.hosted.call import Call
from pipeline.hosted.keys import host, without_keys

MOST = 300
"""Characters of what a provider says that are told on."""
_MARKS = str.maketrans("“”", "''")


def key_refused(call: Call) -> KeyMissing:
    """The key is wrong, or may not do this. What providers say of it often quotes the key, so it is not told."""
    name = call.provider.name
    variables = " and ".join(names[0] for names in call.provider.keys) or "its key"
    page = f" Keys are made at {call.provider.key_url}." if call.provider.key_url else ""
    return KeyMissing(
        f"{name} refuses the key.", f"Check {variables}, and start the studio again.{page}", field="model"
    )


def out_of_quota(call: Call, said: str) -> QuotaExceeded:
    """The account has nothing left. Asking again does not help."""
    message = f"The account at {call.provider.name} has nothing left: {_quoted(call, said)}."
    return QuotaExceeded(message, f"Look after the account at {call.provider.name}, then run the job again.")


def too_often(call: Call, said: str) -> QuotaExceeded:
    """More was asked than the account may ask in a while."""
    message = f"{call.provider.name} is asked more often than the account may: {_quoted(call, said)}."
    return QuotaExceeded(message, "Wait a while, then run the job again.")


def crowded(call: Call, said: str) -> QuotaExceeded:
    """The account had as many tasks under way as it may, for as long as was waited."""
    message = (
        f"{call.provider.name} takes no further task of the account before another one ends: {_quoted(call, said)}."
    )
    return QuotaExceeded(message, "None ended in time: run the job again when there is room.")


def content_refused(call: Call, said: str) -> ContentRefused:
    """The provider's rules speak against the prompt or the picture."""
    message = f"{call.provider.name} does not make this picture: {_quoted(call, said)}."
    return ContentRefused(message, "Say it in other words, or use a model that runs here.", field="prompt")


def not_taken(call: Call, said: str, field: str | None = None) -> InvalidRequest:
    """The provider finds a fault in what was asked."""
    message = f"{call.provider.name} does not take the request: {_quoted(call, said)}."
    return InvalidRequest(message, "Change it, and run the job again.", field=field)


def model_gone(call: Call) -> ModelRetired:
    """The provider does not know the model (any more), or not for this account."""
    replacement = call.model.replacement
    remedy = f"Use {replacement} instead." if replacement else "Choose another model."
    message = f"{call.provider.name} has no model {call.model.source} for this account (any more)."
    return ModelRetired(message, remedy, field="model")


def busy(call: Call, said: str) -> ProviderFailed:
    """The provider has trouble of its own. Nothing was made."""
    message = f"{call.provider.name} cannot make it now: {_quoted(call, said)}."
    return ProviderFailed(message, "Try again in a few minutes.")


def unreachable(call: Call, said: str) -> ProviderFailed:
    """No connection came about, so nothing was ordered."""
    message = f"{call.provider.name} cannot be reached at {host(call.base_url)}: {_quoted(call, said)}."
    return ProviderFailed(message, "Check the network, then run the job again.")


def cut_off(call: Call, said: str) -> ProviderFailed:
    """The connection broke, or nothing came in time, after the order was sent."""
    message = f"{call.provider.name} did not answer to the end: {_quoted(call, said)}."
    remedy = (
        "It may have made the picture and charge for it, so nothing was asked twice. Run the job again if you wish."
    )
    return ProviderFailed(message, remedy)


def malformed(call: Call, said: str) -> ProviderFailed:
    """The answer is not as its documentation says."""
    message = f"{call.provider.name} answered with something that holds no picture: {_quoted(call, said)}."
    return ProviderFailed(message, "Try again; if it stays, the provider has changed and Darkroom needs a new version.")


def interrupted(call: Call) -> ProviderFailed:
    """The studio ended while the provider was at work, and its answer is lost."""
    message = f"The studio ended while {call.provider.name} was making this picture."
    remedy = "It may have been made and charged for, so it was not asked twice. Run the job again if you wish."
    return ProviderFailed(message, remedy)


def failed(call: Call, error: Exception) -> DarkroomError:
    """Anything else that an adapter or a provider's package raised."""
    message = f"Asking {call.provider.name} failed: {_quoted(call, named(error))}."
    remedy = (
        "It may have made the picture and charge for it, so nothing was asked twice. If it happens again, report it."
    )
    return ProviderFailed(message, remedy)


def named(error: BaseException) -> str:
    """An error of a provider's package or of the network, with its kind."""
    return f"{type(error).__name__}: {error}"


def _quoted(call: Call, said: str) -> str:
    """What the provider said, on one line, in so many characters, and without keys. In quotation marks, since it may
    quote the prompt: the job log leaves out what is in them."""
    plain = " ".join(without_keys(said, call.keys.values()).split()).translate(_MARKS)
    return f"“{plain if len(plain) <= MOST else plain[: MOST - 1] + '…'}”"
