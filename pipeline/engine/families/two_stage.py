"""Kandinsky 2.2 and Stable Cascade: a prior draws an embedding of the picture, a decoder draws the picture.

Their combined pipelines hold two more, which share the models but not the schedulers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.engine.families.base import Family


class TwoStage(Family):
    """Two pipelines in one."""

    def set_schedulers(self, pipeline: Any, schedulers: Mapping[str, Any]) -> None:
        super().set_schedulers(pipeline, schedulers)
        pipeline.prior_pipe.scheduler = pipeline.prior_scheduler
        pipeline.decoder_pipe.scheduler = pipeline.scheduler

    def free(self, pipeline: Any) -> None:
        for stage in (pipeline, pipeline.prior_pipe, pipeline.decoder_pipe):
            stage.maybe_free_model_hooks()
