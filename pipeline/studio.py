"""`Studio`: the one façade that pages, API, shell and scripts use.

with Studio() as studio:
    [image] = studio.generate("a red house by the sea at night", seed=42)
    print(image.path, image.seed)
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from pipeline.chains import Chains
from pipeline.compare.comparisons import Comparisons
from pipeline.doctor import Check
from pipeline.doctor import run as run_checks
from pipeline.door import Door, stages
from pipeline.errors import DarkroomError, NotFound
from pipeline.estimate import Estimate
from pipeline.events import SavedImage
from pipeline.forecast import Forecast
from pipeline.gallery import Gallery, lineage
from pipeline.hosted.hosted import Hosted
from pipeline.inputs import InputId, Selection, size_of
from pipeline.jobs.claim import claim, is_held
from pipeline.jobs.dispatcher import Dispatcher
from pipeline.jobs.job import Job
from pipeline.jobs.log import JobLog, LogLine
from pipeline.jobs.once import Once
from pipeline.jobs.state import EVERY, EngineState, JobState, Status, WorkerState
from pipeline.jobs.store import JobRow, JobStore
from pipeline.jobs.surroundings import Surroundings
from pipeline.jobs.worker import Worker
from pipeline.models import hardware
from pipeline.models.choose import Choice, choose_default
from pipeline.models.files import hub
from pipeline.models.hardware import EngineReport
from pipeline.models.library import Library
from pipeline.models.planning.plan import Plan
from pipeline.models.registry import Model, ModelRecord
from pipeline.models.tokens import TokenCount, count_tokens
from pipeline.pictures.desk import Desk, Source
from pipeline.pictures.store import InputStore
from pipeline.recipe import Recipe
from pipeline.request import MAX_SEED, GenerationRequest, parse_request
from pipeline.rerun.judge import Rerun
from pipeline.rerun.rerun import rerun
from pipeline.rerun.reruns import Reruns
from pipeline.settings import Settings, read_settings


class Studio:
    """The engine, the queue and the gallery of one outputs folder. For any thread.

    `models` are the checkpoints and their files, `hosted` is what providers make elsewhere, `gallery` has the finished
    pictures, `desk` takes pictures to work from, `chains` and `comparisons` are the kept ones. Sizes are pixels and
    bytes, times are seconds.
    """

    def __init__(self, settings: Settings | None = None, *, persistent: bool = False) -> None:
        """A studio with its own private queue, or, when `persistent`, the one that runs the folder's stored queue.

        Raises `FolderInUse` when another persistent studio runs there, `OutputUnwritable` when the outputs folder
        cannot be made, `BadSettings`, also when `DARKROOM_MODEL` names a hosted model, and `UnknownModel` when it names
        none.
        """
        self.settings = settings or read_settings()
        self.models = Library(self.settings)
        self._hardware, self._versions = hardware.detect(), dict[str, str]()
        self._default = choose_default(self.models.registry, self._hardware, self.settings.model)
        self.gallery = Gallery(self.settings.outputs, self.settings.database)
        self.inputs = InputStore(self.settings.data_folder / "inputs")
        self.desk = Desk(self.inputs, self.settings.max_input_pixels, self.gallery.png)
        self.hosted = Hosted(self.settings, self.models, self.inputs)
        self._claim = claim(self.settings) if persistent else None
        self._store = JobStore(self.settings.database if persistent else None)
        self._dispatcher = Dispatcher(
            self._store,
            self._surroundings(),
            (self.settings.max_queue, self.settings.max_queue_per_client),
            JobLog(self.settings.data_folder / "studio.log" if persistent else None),
        )
        around = self.settings, self.models, self.gallery, self.desk, self.hosted
        self._door = Door(*around, lambda: self._hardware)
        self._forecast = Forecast(self.models, self.gallery, self._dispatcher, lambda: self._hardware)
        self.chains = Chains(self.settings.data_folder / "chains")
        self.comparisons = Comparisons(self.settings.data_folder / "comparisons", self)
        self.reruns = Reruns(self)
        self._started, self._starting = False, threading.RLock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the workers; returns at once. Submitting does it too."""
        with self._starting:  # a second caller waits: its job must not be there yet when interrupted ones are queued
            if self._started:
                return
            self._started = True
            self._dispatcher.start(recover=self._claim is not None or not is_held(self.settings))
            if self._claim is not None:
                self.comparisons.take_up()
                # Jobs first: one that ends meanwhile is found among the pictures.
                self.inputs.clean(self._store.input_ids() | self.gallery.input_ids())

    def announce(self, url: str) -> None:
        """Tell the commands of this machine where a persistent studio answers, so that they use it."""
        if self._claim is not None:
            self._claim.announce(url)

    def close(self) -> None:
        """Stop the workers. A persistent studio finds its unfinished jobs again at the next start; those of a
        private one are cancelled."""
        self._dispatcher.close(keep=self._claim is not None)
        self._dispatcher.log.close()
        self._store.close()
        self.gallery.close()
        self.models.close()
        if self._claim is not None:
            self._claim.release()

    # -- pictures -----------------------------------------------------------------------------------------------

    def generate(self, prompt: str, **fields: Any) -> list[SavedImage]:
        """Make `num_images` pictures and wait for them: picture *i* has seed + *i*, and of a chain those of its first
        stage come first.

        `fields` are those of `GenerationRequest`, where `image`, `mask` (white is drawn anew) and the `image` of each
        of the `controls` may be a file (`Path` or its bytes), a Pillow image or a `SavedImage`. Raises as `submit` and
        `Job.result` do.
        """
        return self.submit(parse_request(prompt=prompt, **self.desk.named(fields))).result()

    def submit(self, request: GenerationRequest, *, client: str = "python", idempotency_key: str | None = None) -> Job:
        """Queue a request. The same `idempotency_key` from the same client gives the same job.

        Raises `UnknownModel`, `InvalidRequest`, also when the key was used for another request, `OutOfMemory` when this
        machine could never hold the model, `ModelUnavailable`, `OutputUnwritable` or `QueueFull`, and then nothing is
        queued.
        """
        warnings = self.check(request)
        once = Once(idempotency_key, request) if idempotency_key else None
        record = self.model(request.model)
        self.start()
        seed = request.seed if request.seed >= 0 else _draw_seed(request)
        if request.variation_strength > 0 and request.variation_seed < 0:
            request = request.model_copy(update={"variation_seed": _draw_seed(request)})
        job_id = self._dispatcher.submit(request, record.id, seed, client, once, warnings)
        return Job(self._dispatcher, job_id)

    def replay(self, recipe: Recipe, *, client: str = "python", watch: Callable[[Job], None] = lambda job: None) -> Job:
        """Queue what makes the picture of `recipe` again. The pictures before it that are not kept are made first, and
        waited for; `watch` is called with each job as it is queued, that one last.

        Raises as `submit` and `Job.result` do, and `NotFound` before any work when a picture that somebody brought
        along is not kept any more.
        """

        def submit(request: GenerationRequest) -> Job:
            job = self.submit(request, client=client)
            watch(job)
            return job

        def make(request: GenerationRequest) -> str:
            [made] = submit(request).result()
            return self.desk.take(made).id

        return submit(lineage.prepared(recipe, self.inputs.has, make))

    def rerun(
        self,
        picture: bytes | Path | SavedImage,
        *,
        client: str = "python",
        watch: Callable[[Job], None] = lambda job: None,
    ) -> Rerun:
        """Verify a picture, make it again from its recipe, wait for that, and say how far the two are apart and what
        has changed meanwhile. `watch` is called with each job as it is queued; `reruns` does the same without waiting.

        What stands in the way is told in the result. Raises `NotFound` or `OSError` for a picture that is not there.
        """
        data = self.gallery.png(picture.id) if isinstance(picture, SavedImage) else picture
        return rerun(self, data, client, watch)

    def check(self, request: GenerationRequest) -> tuple[str, ...]:
        """Raise what speaks against making `request` here now, as `submit` does but for `QueueFull`; return what is
        worth a warning."""
        return self._door.check(request, self.model(request.model))

    def select(self, image: InputId | Source, selection: Selection) -> Future[InputId]:
        """Find what is pointed at in a picture: its mask, which requests can name, once a worker has looked. One that
        has a job in hand does that first.

        Raises `NotFound` for an id that is not kept, `InvalidRequest` for a place outside the picture,
        `ModelUnavailable` without a segmentation model, and `QueueFull`. The result raises `ModelUnavailable` for one
        that is damaged, `OutOfMemory`, `OutputUnwritable` and `WorkerDied`.
        """
        name = image if isinstance(image, str) else self.desk.take(image).id
        if not self.inputs.has(name):
            raise NotFound("The picture is not kept (any more).", "Bring it along once more.", field="image")
        selection.check(size_of(name))
        segmenter = self.models.segmenter()
        self.start()
        return self._dispatcher.select(segmenter, name, selection)

    def job(self, job_id: str) -> Job:
        """The job with that id; raises `NotFound`."""
        return Job(self._dispatcher, self._store.get(job_id).id)

    def jobs(
        self,
        *,
        client: str | None = None,
        limit: int = 50,
        offset: int = 0,
        statuses: Collection[Status] = EVERY,
    ) -> list[JobState]:
        """The newest jobs that stand at one of `statuses`, of one client or of all, but for the first `offset`."""
        return [self._dispatcher.state(row) for row in self._store.newest(client, limit, offset, statuses)]

    def count_jobs(self, *, client: str | None = None, statuses: Collection[Status] = EVERY) -> int:
        """How many jobs stand at one of `statuses`, of one client or of all."""
        return self._store.count(client, statuses)

    def queue(self, *, client: str | None = None) -> list[JobState]:
        """The unfinished jobs, of one client or of all: those in hand, then the waiting ones in the order in which they
        will run."""
        return [self._dispatcher.find(job_id) for job_id in self._dispatcher.unfinished(client)]

    def others_before(self, client: str) -> int:
        """How many jobs of others are in hand, or come before the first waiting one of `client`."""
        return self._dispatcher.others_before(client)

    def log(self, job_id: str) -> tuple[LogLine, ...]:
        """What happened to a job, the earliest first, without its prompt; lines of the level `printed` are its owner's
        business alone. Empty when the job is too long ago, or of an earlier start of the studio."""
        return self._dispatcher.log.of(job_id)

    # -- models and machine -------------------------------------------------------------------------------------

    @property
    def default(self) -> Choice:
        """The model that is used when none is named, and why."""
        return self._default

    @property
    def engine(self) -> EngineState:
        """What the engine is doing now."""
        return EngineState(
            status=self._dispatcher.crew.status if self._started else "off",
            model=self._dispatcher.crew.loaded,
            hardware=self._hardware,
            versions=self._versions,
            error=self._dispatcher.crew.broken,
        )

    @property
    def worker_states(self) -> tuple[WorkerState, ...]:
        """Each worker: what it does, what it holds, what it takes."""
        return self._dispatcher.worker_states()

    def load(self, model: str) -> None:
        """Have a free worker make a model ready, so that its next job begins at once; `worker_states` tell how far it
        is. Nothing is downloaded.

        Raises `UnknownModel`, `ModelUnavailable` for a model whose files are not here, `OutOfMemory`, and `Busy`.
        """
        record = self.models.find(model)
        self._door.check_ready(record)
        self.start()
        self._dispatcher.load(record)

    def unload(self, model: str) -> None:
        """Have the workers that hold a model give its memory back; `restart_worker` gives back all. Raises
        `UnknownModel` and `Busy`."""
        self._dispatcher.unload(self.models.find(model).id)

    def restart_worker(self, place: int = 0) -> None:
        """End the worker at `place`, which gives all its memory back, and start another, which loads nothing until it
        has a job. The job in hand begins again; its finished pictures stay. Raises `NotFound`."""
        self._dispatcher.restart(place)

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return self._dispatcher.crew.pids

    def record(self, name: str | None) -> ModelRecord:
        """The checkpoint that `name` means, or the default. Raises `UnknownModel`, and `InvalidRequest` for a hosted
        model."""
        return self.models.find(name) if name else self.default.record

    def model(self, name: str | None) -> Model:
        """As `record`, but of hosted models too."""
        return self.models.find_any(name) if name else self.default.record

    def plan(self, request: GenerationRequest) -> Plan:
        """Whether `request` fits this machine, how it would run, and what it takes; nothing is loaded or fetched.

        Raises `UnknownModel`, `NotFound` for an unknown ControlNet, and `InvalidRequest` for what this device
        cannot do.
        """
        return self.models.plan(self.record(request.model), request, self._hardware)

    def estimate(self, request: GenerationRequest, *, client: str = "python") -> Estimate:
        """How long `request` would take if `client` queued it now, and the memory that it needs.

        Raises `UnknownModel`, `NotFound` for an unknown ControlNet, and `InvalidRequest` for what this device
        cannot do.
        """
        return self._forecast.of(request, self.model(request.model), client)

    def count_tokens(self, model: str, text: str) -> TokenCount:
        """How much of what the model reads a prompt takes. Raises `UnknownModel`."""
        return count_tokens(self.models.find(model), text)

    def doctor(self) -> list[Check]:
        """The start-up checks, each with its finding and remedy."""
        report = EngineReport(hardware=self._hardware, versions=self._versions) if self._versions else None
        return run_checks(self.settings, report)

    # -- inside -------------------------------------------------------------------------------------------------

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            models=self.models,
            keeper=self.gallery,
            desk=self.desk,
            hosted=self.hosted,
            start_worker=self._start_worker,
            environments=self._worker_environments(),
            on_report=self._on_report,
            needs_all=self._needs_all,
        )

    def _start_worker(self, environment: dict[str, str], on_message: Any, on_exit: Any) -> Worker:
        folders = self.settings.cache, self.settings.weights, self.inputs.folder
        return Worker(folders, environment, on_message, on_exit)

    def _worker_environments(self) -> list[dict[str, str]]:
        """One per worker: on a machine with several GPUs each worker sees its own one first and the others, for what is
        too large for one, after it; unless a device is named."""
        device = {"DARKROOM_DEVICE": self.settings.device} if self.settings.device else {}
        gpus = [] if device or "CUDA_VISIBLE_DEVICES" in os.environ else [gpu.index for gpu in self._hardware.gpus]
        count = max(1, len(gpus)) if self.settings.workers == "auto" else self.settings.workers
        if len(gpus) < 2:
            return [device] * count
        turned = [gpus[place % len(gpus) :] + gpus[: place % len(gpus)] for place in range(count)]
        return [{"CUDA_VISIBLE_DEVICES": ",".join(map(str, order))} for order in turned]

    def _needs_all(self, row: JobRow) -> bool:
        """Whether a job is too large for one device."""
        if len(self._hardware.gpus) < 2:
            return False
        try:
            parts = stages(row.request, self.models.find(row.model), self.models.find)
            return any(self.models.plan(record, stage, self._hardware).spread for stage, record in parts)
        except DarkroomError:  # the worker will say so better
            return False

    def _on_report(self, report: EngineReport) -> ModelRecord | None:
        """Believe the engine about the machine, and preload the default model if its files are here."""
        self._hardware, self._versions = report.hardware, report.versions
        self._default = choose_default(self.models.registry, self._hardware, self.settings.model)
        record = self._default.record
        return record if self.settings.preload and hub.is_here(record) else None


def _draw_seed(request: GenerationRequest) -> int:
    """A random seed that leaves room for one for each picture after it."""
    return secrets.randbelow(MAX_SEED - request.num_pictures + 2)
