"""The kind of type that the files of this package are read into."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    """What a file says: never changed once it is read, and a name that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
