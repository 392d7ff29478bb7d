"""Every error that a person or a program can meet, in one tree.

    DarkroomError
    ├── InvalidRequest        a field is missing, malformed or outside what the model takes
    ├── BadSettings           a DARKROOM_… variable or the user's models.toml cannot be read
    ├── UnknownModel          no registered model has that name
    ├── NotFound              no such job or image (any more)
    ├── QueueFull             the bounded queue refuses one more job
    ├── Busy                  no worker is free for what is no job
    ├── ModelUnavailable      weights are absent, gated, incomplete or cannot be fetched
    ├── DependencyMissing     a package or driver that the request needs is absent or broken
    ├── OutOfMemory           the device ran out of memory while loading or generating
    ├── OutputUnwritable      the outputs folder cannot take the picture
    ├── FolderInUse           another studio already runs the queue of this folder
    ├── AddressInUse          another program listens where the studio was to
    ├── StudioUnreachable     the studio that runs here does not answer, or not to us
    ├── WorkerDied            the process that generates ended in the middle of a job
    ├── KeyMissing            the key of a hosted provider is not set, or is refused
    ├── ContentRefused        a hosted provider does not make this picture
    ├── QuotaExceeded         an account at a hosted provider has nothing left, or asks too often
    ├── ModelRetired          a hosted model is not offered any more
    ├── ProviderFailed        a hosted provider does not answer, or not as it should
    ├── JobCancelled          somebody cancelled the job whose result was awaited
    └── EngineFailed          anything else that went wrong while generating

An error says what happened and why (`message`) and what to do next (`remedy`); `code` is stable for programs and
`field` names the request field at fault, if there is one. Pages, routes and commands only render it.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class ErrorInfo(BaseModel):
    """A `DarkroomError` as plain data: what a job row, an event and a response body carry."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    remedy: str = ""
    field: str | None = None
    details: str = ""
    """Technical text for a bug report, such as the end of a traceback. Never holds secrets."""

    @property
    def sentence(self) -> str:
        """Message and remedy as one line."""
        return f"{self.message} {self.remedy}".strip()


class DarkroomError(Exception):
    """Root of the tree: an error with a stable code, a reason and a next step."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, remedy: str = "", *, field: str | None = None, details: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.info = ErrorInfo(code=self.code, message=message, remedy=remedy, field=field, details=details)

    @classmethod
    def from_info(cls, info: ErrorInfo) -> DarkroomError:
        """Rebuild the exception that `info` describes, with its own class."""
        kind = _BY_CODE.get(info.code, DarkroomError)
        return kind(info.message, info.remedy, field=info.field, details=info.details)

    def __reduce__(self) -> tuple[object, tuple[ErrorInfo]]:
        return DarkroomError.from_info, (self.info,)


class InvalidRequest(DarkroomError):
    code = "invalid_request"


class BadSettings(DarkroomError):
    code = "bad_settings"


class UnknownModel(DarkroomError):
    code = "unknown_model"


class NotFound(DarkroomError):
    code = "not_found"


class QueueFull(DarkroomError):
    code = "queue_full"


class Busy(DarkroomError):
    code = "busy"


class ModelUnavailable(DarkroomError):
    code = "model_unavailable"


class DependencyMissing(DarkroomError):
    code = "dependency_missing"


class OutOfMemory(DarkroomError):
    code = "out_of_memory"


class OutputUnwritable(DarkroomError):
    code = "output_unwritable"


class FolderInUse(DarkroomError):
    code = "folder_in_use"


class AddressInUse(DarkroomError):
    code = "address_in_use"


class StudioUnreachable(DarkroomError):
    code = "studio_unreachable"


class WorkerDied(DarkroomError):
    code = "worker_died"


class KeyMissing(DarkroomError):
    code = "key_missing"


class ContentRefused(DarkroomError):
    code = "content_refused"


class QuotaExceeded(DarkroomError):
    code = "quota_exceeded"


class ModelRetired(DarkroomError):
    code = "model_retired"


class ProviderFailed(DarkroomError):
    code = "provider_failed"


class JobCancelled(DarkroomError):
    code = "job_cancelled"


class EngineFailed(DarkroomError):
    code = "engine_failed"


_BY_CODE: dict[str, type[DarkroomError]] = {
    kind.code: kind
    for kind in (
        InvalidRequest,
        BadSettings,
        UnknownModel,
        NotFound,
        QueueFull,
        Busy,
        ModelUnavailable,
        DependencyMissing,
        OutOfMemory,
        OutputUnwritable,
        FolderInUse,
        AddressInUse,
        StudioUnreachable,
        WorkerDied,
        KeyMissing,
        ContentRefused,
        QuotaExceeded,
        ModelRetired,
        ProviderFailed,
        JobCancelled,
        EngineFailed,
    )
}
