"""The engine: the only room that imports torch. It runs inside a worker's child process.

Importing it takes seconds, and raises `DependencyMissing` where torch or a library on top of it is absent or broken.
"""

from pipeline.errors import DependencyMissing
from pipeline.models.hardware import EngineReport

try:
    from pipeline.engine.quiet import hush

    hush()
    from pipeline.engine.engine import Engine
    from pipeline.engine.watch import GenerationCancelled
except (ImportError, OSError) as error:
    raise DependencyMissing(
        f"The image engine cannot start: {error}",
        "Run `make setup`, which installs torch, diffusers, transformers and accelerate into .venv.",
    ) from error

__all__ = ["Engine", "EngineReport", "GenerationCancelled"]
