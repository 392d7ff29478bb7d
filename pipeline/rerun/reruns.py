"""Pictures of the gallery that are made again while others wait for nothing: one at a time for each picture.

What came of it is known for as long as the studio lives. The jobs are ordinary ones: followed, moved and cancelled like
all, and after a restart they go on and leave their picture in the gallery.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from pipeline.errors import NotFound
from pipeline.gallery.verify import Verdict, verify
from pipeline.jobs.job import Job
from pipeline.rerun.judge import Rerun, impossible, making
from pipeline.rerun.rerun import Maker, rerun

KEPT = 1000
"""Pictures of which is known what came of the last time."""


class Reruns:
    """Safe to use from several threads."""

    def __init__(self, studio: Maker) -> None:
        self._studio = studio
        self._changing = threading.Condition()
        self._known: OrderedDict[str, Rerun] = OrderedDict()

    def start(self, image_id: str, *, client: str = "python") -> Rerun:
        """Begin to make a picture of the gallery again; while that goes on, the same once more changes nothing.

        Returns once its job is queued, or it is clear that there will be none. Raises `NotFound`.
        """
        data = self._studio.gallery.png(image_id)
        file = verify(data)
        with self._changing:
            known = self._known.get(image_id)
            if known is None or known.state != "making":
                self._know(image_id, making(file))
                work = (image_id, data, file, client)
                threading.Thread(target=self._make, args=work, name=f"rerun-{image_id}", daemon=True).start()
            return self._once(image_id, lambda found: found.job is not None or found.state != "making")

    def find(self, image_id: str) -> Rerun:
        """What came of the last time, or that it is under way. Raises `NotFound` when there was none."""
        with self._changing:
            found = self._known.get(image_id)
        if found is None:
            raise NotFound("That picture has not been made again since the studio started.", "Start it first.")
        return found

    def wait(self, image_id: str) -> Rerun:
        """What came of it, once that is known. Raises as `find` does."""
        self.find(image_id)
        with self._changing:
            return self._once(image_id, lambda found: found.state != "making")

    def _once(self, image_id: str, reached: Callable[[Rerun], bool]) -> Rerun:
        self._changing.wait_for(lambda: reached(self._known[image_id]))
        return self._known[image_id]

    def _make(self, image_id: str, data: bytes, file: Verdict, client: str) -> None:
        def watch(job: Job) -> None:
            with self._changing:
                self._know(image_id, making(file, job.id))

        found = impossible(file, "The studio stopped meanwhile.")
        try:
            found = rerun(self._studio, data, client, watch)
        finally:
            with self._changing:
                self._know(image_id, found)

    def _know(self, image_id: str, found: Rerun) -> None:
        self._known[image_id] = found
        self._known.move_to_end(image_id)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        self._changing.notify_all()
