"""The served models: which versions are in memory, and which of them a request means.

Everything here runs in the event loop, except for the loading itself: so no lock is needed, and
a request that has its `Servable` keeps it however the versions change meanwhile.
"""

import asyncio
import concurrent.futures
import dataclasses
import gc
import logging
import threading
import time
from pathlib import Path

import grpc
from tensorflow_serving.apis import get_model_status_pb2

from gan_keras.errors import UsageError, UserError, visible
from gan_keras.serving.reports import rarely
from gan_keras.serving.request_error import invalid, not_found, one_line
from gan_keras.serving.servable import Servable, check_origin

logger = logging.getLogger(__name__)

State = get_model_status_pb2.ModelVersionStatus.State
# Seconds until a version that failed is tried again; doubled each time. TensorFlow Serving
# always waits the longest, which punishes whoever copies a folder into place.
FIRST_RETRY, LAST_RETRY = 2.0, 60.0
LOOK_SECONDS = 10.0  # for reading a folder or a file; a dead mount may take for ever


@dataclasses.dataclass
class Version:
    """What is known of one version; `servable` is there in state AVAILABLE only.

    `loading` is the load that runs, or that ended after its time was over.
    """

    state: State = State.START
    servable: Servable | None = None
    failure: str = ""
    pause: float = 0.0
    retry_at: float = 0.0
    loading: asyncio.Future | None = None

    def due(self):
        """Whether the version is to be loaded now."""
        if self.servable or (self.loading and not self.loading.done()):
            return False
        return bool(self.loading) or self.retry_at <= time.monotonic()


class Model:
    """One model, kept in step with its folder.

    Args:
        settings: Its ModelSettings.
        turn: An asyncio.Semaphore: how many versions are loaded at a time, of all models.
        limits: The Limits.
        allow_foreign: Load signatures that this package does not make.
    """

    def __init__(self, settings, turn, limits, allow_foreign):
        self.settings = settings
        self.versions = {}
        self._turn, self._limits, self._allow_foreign = turn, limits, allow_foreign
        self._polling = asyncio.Lock()
        self._look = Look()  # at the folder
        self._trouble = None  # with the base path

    async def keep_up(self, poll_seconds):
        """Follows the folder for ever."""
        while True:
            await asyncio.sleep(poll_seconds)
            try:
                while await self.poll():
                    pass
            except Exception as error:  # or a surprise would end the updates silently
                name = self.settings.name
                rarely(("poll", name), "model `%s`: %s", name, one_line(error))

    async def poll(self):
        """Takes one step towards what the folder holds; returns whether there may be another.

        One load a step, the newest version first: a folder that fails again and again does not
        hold up one that has just come.
        """
        async with self._polling:
            return await self._step()

    async def _step(self):
        try:
            wanted = await self._look(self.settings.wanted)
        except OSError as error:
            # As in TensorFlow Serving the versions in memory stay: a folder that cannot be
            # listed is a failing disk more often than a wish.
            trouble = f"{self.settings.base_path}: {error.strerror or error}"
            if trouble != self._trouble:
                logger.warning("model `%s`: %s", self.settings.name, trouble)
            self._trouble = trouble
            return False
        self._trouble = None
        for number in self.versions.keys() - wanted.keys():
            if self.versions[number].failure:
                self.versions[number] = Version(State.END)
        due = [number for number in wanted if self._version(number).due()]
        if due:
            await self._load(max(due), wanted[max(due)])
        await self._unload(wanted)
        return bool(due)

    def _version(self, number):
        return self.versions.setdefault(number, Version())

    async def _load(self, number, folder: Path):
        version = self._version(number)
        version.state = State.LOADING
        try:
            version.servable = await self._loaded(version, number, folder)
        except Exception as error:
            failure = f"{folder} cannot be loaded: {one_line(error)}"
            if failure != version.failure:
                logger.warning(
                    "model `%s` version %d: %s", self.settings.name, number, visible(failure)
                )
            version.state, version.failure = State.END, failure
            version.pause = min(max(2 * version.pause, FIRST_RETRY), LAST_RETRY)
            version.retry_at = time.monotonic() + version.pause
            return
        self.versions[number] = Version(State.AVAILABLE, version.servable)
        warm = version.servable.warmups
        logger.info(
            "loaded model `%s` version %d from %s%s",
            self.settings.name,
            number,
            folder,
            f", warmed by {warm} requests" if warm else "",
        )

    async def _loaded(self, version, number, folder):
        """Returns the Servable; one that comes too late is kept for the next call."""
        async with self._turn:
            if not version.loading:
                version.loading = in_thread(self._servable, number, folder)
            await asyncio.wait({version.loading}, timeout=self._limits.load_seconds)
        if not version.loading.done():
            raise TimeoutError(
                f"not done within {self._limits.load_seconds:g} s; others go first, and it becomes"
                " available when it is done (--max_load_seconds is the limit)"
            )
        loading, version.loading = version.loading, None
        return loading.result()

    def _servable(self, number, folder):
        if not self._allow_foreign:
            check_origin(folder)
        return Servable(self.settings.name, number, folder, self._limits.seconds)

    async def _unload(self, wanted):
        """Lets go of what is not wanted, once something that is wanted can answer instead."""
        available = {number for number, version in self.versions.items() if version.servable}
        unwanted = available - wanted.keys()
        if not unwanted or (wanted and not available & wanted.keys()):
            return
        for number in sorted(unwanted):
            self.versions[number] = Version(State.END)
            logger.info("unloaded model `%s` version %d", self.settings.name, number)
        # A graph and its variables refer to each other in circles: without a collection their
        # memory would stay for an unknown time.
        await in_thread(gc.collect)

    def find(self, version=None, label=None):
        """Returns the Servable that a request means, the newest by default."""
        if label is not None:
            if label not in self.settings.labels:
                raise invalid(f"model `{self.settings.name}` has no version label `{label}`")
            version = self.settings.labels[label]
        if version is None:
            version = max((n for n, known in self.versions.items() if known.servable), default=None)
            if version is None:
                raise not_found(f"model `{self.settings.name}` has no version to serve now")
        known = self.versions.get(version)
        if known is None or known.servable is None:
            raise not_found(f"model `{self.settings.name}` has no version {version} to serve")
        return known.servable

    def status(self, version=None, label=None):
        """Returns a GetModelStatusResponse of one version or of all, the newest first.

        A label is ignored, known or not, as by TensorFlow Serving.
        """
        if version is not None and version not in self.versions:
            raise not_found(f"model `{self.settings.name}` has no version {version}")
        numbers = sorted(self.versions, reverse=True) if version is None else [version]
        response = get_model_status_pb2.GetModelStatusResponse()
        for number in numbers:
            known = self.versions[number]
            line = response.model_version_status.add(version=number, state=known.state)
            code = grpc.StatusCode.UNKNOWN if known.failure else grpc.StatusCode.OK
            line.status.error_code = code.value[0]
            line.status.error_message = known.failure
        return response


class Models:
    """All models by name.

    Args:
        settings: Their ModelSettings.
        limits: The Limits.
        allow_foreign: Load signatures that this package does not make.
    """

    def __init__(self, settings, limits, allow_foreign=False):
        # Two loads at a time are not faster, and hold twice the memory.
        turn = asyncio.Semaphore(1)
        self._new = lambda item: Model(item, turn, limits, allow_foreign)
        self._models = {item.name: self._new(item) for item in settings}
        self._followed = {}  # name: the task that follows its folder
        self._follow = None  # starts one

    async def load(self, allow_unavailable_labels=False):
        """Loads every model once.

        Raises:
            UserError: a model has no version that can be loaded.
            UsageError: a label points at a version that is not loaded.
        """
        for name, model in self._models.items():
            while await model.poll():
                pass
            failures = [version.failure for version in model.versions.values() if version.failure]
            if not any(version.servable for version in model.versions.values()):
                raise UserError(
                    f"model `{name}`: nothing to serve: {'; '.join(failures)}; export it again"
                    f" with gan-keras-export --workdir <run> --export_dir"
                    f" {model.settings.base_path}"
                )
            for label, number in model.settings.labels.items():
                known = model.versions.get(number)
                if not (allow_unavailable_labels or (known and known.servable)):
                    raise _unavailable(name, label, number)

    async def keep_up(self, poll_seconds):
        """Follows all folders for ever; each by itself, so that none waits for another."""
        async with asyncio.TaskGroup() as tasks:
            self._follow = lambda model: tasks.create_task(model.keep_up(poll_seconds))
            for name, model in self._models.items():
                self._followed[name] = self._follow(model)

    async def reload(self, settings, allow_unavailable_labels=False):
        """Takes an edited configuration over, all of it or nothing, as TensorFlow Serving does.

        Labels come first: a configuration with one that may not be moved changes nothing.

        Args:
            settings: The ModelSettings of all models.
            allow_unavailable_labels: Accept new labels of versions that are not loaded; a label
                that is there already is only ever moved to a version that is.

        Raises:
            UsageError: a label points at a version that is not loaded.
        """
        wanted = {item.name: item for item in settings}
        if wanted == {name: model.settings for name, model in self._models.items()}:
            return
        for item in settings:
            model = self._models.get(item.name)
            for label, number in item.labels.items():
                known = model and model.versions.get(number)
                moved = model and model.settings.labels.get(label, number) != number
                if not (known and known.servable) and (moved or not allow_unavailable_labels):
                    raise _unavailable(item.name, label, number)
        for name in self._models.keys() - wanted.keys():
            self._models.pop(name)
            if name in self._followed:
                self._followed.pop(name).cancel()
            logger.info("model `%s` is no longer served", name)
            await in_thread(gc.collect)  # as in `Model`
        for name, item in wanted.items():
            if name not in self._models:
                self._models[name] = self._new(item)
                if self._follow:
                    self._followed[name] = self._follow(self._models[name])
            model = self._models[name]
            model.settings = item
            while await model.poll():
                pass

    def close(self):
        """Ends the predictions of all versions."""
        for model in self._models.values():
            for version in model.versions.values():
                if version.servable:
                    version.servable.close()

    def names(self):
        """Returns the names of all models."""
        return list(self._models)

    def model(self, name):
        """Returns the model of this name."""
        if name not in self._models:
            raise not_found(f"there is no model `{name}`")
        return self._models[name]


def _unavailable(name, label, number):
    return UsageError(
        f"--model_config_file: model `{name}`: version label `{label}` points at version {number},"
        " which is not loaded; correct it or give --allow_version_labels_for_unavailable_models"
    )


class Look:
    """Calls a function in a thread, again and again; never two at a time, as the first may hang."""

    def __init__(self):
        self._running = None

    async def __call__(self, function, *arguments):
        """Returns what the function returns.

        Raises:
            TimeoutError: it has not yet, within LOOK_SECONDS; the next call waits for it again.
        """
        self._running = self._running or in_thread(function, *arguments)
        await asyncio.wait({self._running}, timeout=LOOK_SECONDS)
        if not self._running.done():
            raise TimeoutError(f"not read within {LOOK_SECONDS:g} s")
        done, self._running = self._running, None
        return done.result()


def in_thread(function, *arguments):
    """Returns an asyncio.Future of a call; a call that hangs keeps its own thread only."""
    result = concurrent.futures.Future()

    def call():
        if not result.set_running_or_notify_cancel():
            return
        try:
            result.set_result(function(*arguments))
        except BaseException as error:
            result.set_exception(error)

    # A daemon: an executor's threads would keep the process from ending.
    threading.Thread(target=call, name="loader", daemon=True).start()
    return asyncio.wrap_future(result)
