"""How long the rest of a job will take, judged by what it has done so far."""

from __future__ import annotations

from time import perf_counter


class Pace:
    """The clock of a job of `pictures` pictures. All times are seconds."""

    def __init__(self, pictures: int) -> None:
        self._to_come = pictures
        self._around: list[float] = []
        """What each finished picture took beside its steps: encoding the prompt, decoding the latents."""
        self._began = self._first = self._last = 0.0
        self._stage, self._before = 0.0, 0
        """When the current stage began, and how many steps came before it."""

    def begin(self) -> None:
        """A picture begins."""
        self._to_come -= 1
        self._began, self._first = perf_counter(), 0.0
        self._stage, self._before = 0.0, 0

    def denoising(self) -> None:
        """The denoiser runs; the first time for each picture counts."""
        if not self._first:
            self._first = perf_counter()

    def left(self, step: int, total: int, before: int = 0) -> float:
        """Expected rest of the job when `step` of the current picture's `total` steps are done.

        The first `before` of them were those of another stage, whose steps take another time.
        """
        if before != self._before:
            self._stage, self._before = self._last, before
        self._last = perf_counter()
        each = (self._last - (self._stage or self._first or self._began)) / (step - before)
        around = sum(self._around) / len(self._around) if self._around else 0.0
        return each * (total - step) + self._to_come * (each * total + around)

    def end(self) -> float:
        """The picture is finished: how long it took from its first step to its pixels."""
        now = perf_counter()
        first = self._first or self._began
        self._around.append((first - self._began) + (now - self._last))
        return now - first
