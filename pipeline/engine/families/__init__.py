"""What differs from family to family and takes code; all else is data in the records.

family_of(record)   the adapter of a record's family; `Family` itself for those that need nothing special
"""

from __future__ import annotations

from pipeline.engine.families.base import Family
from pipeline.engine.families.packed import Packed
from pipeline.engine.families.sd3 import SD3
from pipeline.engine.families.two_stage import TwoStage
from pipeline.engine.families.unidiffuser import UniDiffuser
from pipeline.models.registry import ModelRecord

__all__ = ["Family", "family_of"]

_FAMILIES: dict[str, Family] = {
    "flux": Packed(),
    "qwen": Packed(),
    "sd3": SD3(),
    "kandinsky22": TwoStage(),
    "cascade": TwoStage(),
    "unidiffuser": UniDiffuser(),
}


def family_of(record: ModelRecord) -> Family:
    """The adapter of the family that `record` names."""
    return _FAMILIES.get(record.family, Family())
