"""The served models: which versions are in memory, and which of them a request means.

Everything here runs in the event loop, except for the loading itself: so no lock is needed, and
a request that has its `Servable` keeps it however the versions change meanwhile.
"""

import asyncio
import concurrent.futures
import dataclasses
import gc
import time
from pathlib import Path

import grpc
from tensorflow_serving.apis import get_model_status_pb2

from gan_keras.errors import UsageError, UserError
from gan_keras.serving.request_error import invalid, not_found, one_line
from gan_keras.serving.servable import Servable

State = get_model_status_pb2.ModelVersionStatus.State
# Seconds until a version that failed is tried again; doubled each time. TensorFlow Serving
# always waits the longest, which punishes whoever copies a folder into place.
FIRST_RETRY, LAST_RETRY = 2.0, 60.0


@dataclasses.dataclass
class Version:
    """What is known of one version; `servable` is there in state AVAILABLE only."""

    state: State = State.START
    servable: Servable | None = None
    failure: str = ""
    pause: float = 0.0
    retry_at: float = 0.0


class Model:
    """One model, kept in step with its folder.

    Args:
        settings: Its ModelSettings.
        loader: An executor for loading and listing.
        say: Called with a line for each change.
        complain: Called with a line for each failure, once as long as it is the same.
    """

    def __init__(self, settings, loader, say, complain):
        self.settings = settings
        self.versions = {}
        self._loader, self._say, self._complain = loader, say, complain
        self._trouble = None  # with the base path

    async def keep_up(self, poll_seconds):
        """Follows the folder for ever."""
        while True:
            await asyncio.sleep(poll_seconds)
            try:
                while await self.poll():
                    pass
            except Exception as error:  # or a surprise would end the updates silently
                self._complain(f"model `{self.settings.name}`: {one_line(error)}")

    async def poll(self):
        """Takes one step towards what the folder holds; returns whether there may be another.

        One load a step, the newest version first: a folder that fails again and again does not
        hold up one that has just come.
        """
        run = asyncio.get_running_loop().run_in_executor
        try:
            wanted = await run(self._loader, self.settings.wanted)
        except OSError as error:
            # As in TensorFlow Serving the versions in memory stay: a folder that cannot be
            # listed is a sick disk more often than a wish.
            trouble = f"{self.settings.base_path}: {error.strerror or error}"
            if trouble != self._trouble:
                self._complain(f"model `{self.settings.name}`: {trouble}")
            self._trouble = trouble
            return False
        self._trouble = None
        for number in self.versions.keys() - wanted.keys():
            if self.versions[number].failure:
                self.versions[number] = Version(State.END)
        due = [
            number
            for number in wanted
            if not self._version(number).servable
            and self._version(number).retry_at <= time.monotonic()
        ]
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
            version.servable = await asyncio.get_running_loop().run_in_executor(
                self._loader, Servable, self.settings.name, number, folder
            )
        except Exception as error:
            failure = f"{folder} cannot be loaded: {one_line(error)}"
            if failure != version.failure:
                self._complain(f"model `{self.settings.name}` version {number}: {failure}")
            version.state, version.failure = State.END, failure
            version.pause = min(max(2 * version.pause, FIRST_RETRY), LAST_RETRY)
            version.retry_at = time.monotonic() + version.pause
            return
        self.versions[number] = Version(State.AVAILABLE, version.servable)
        warm = version.servable.warmups
        self._say(
            f"loaded model `{self.settings.name}` version {number} from {folder}"
            + (f", warmed by {warm} requests" if warm else "")
        )

    async def _unload(self, wanted):
        """Lets go of what is not wanted, once something that is wanted can answer instead."""
        available = {number for number, version in self.versions.items() if version.servable}
        unwanted = available - wanted.keys()
        if not unwanted or (wanted and not available & wanted.keys()):
            return
        for number in sorted(unwanted):
            self.versions[number] = Version(State.END)
            self._say(f"unloaded model `{self.settings.name}` version {number}")
        # A graph and its variables refer to each other in circles: without a collection their
        # memory would stay for an unknown time.
        await asyncio.get_running_loop().run_in_executor(self._loader, gc.collect)

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
        """Returns a GetModelStatusResponse of one version or of all, the newest first."""
        if label is not None:
            version = self.find(label=label).version
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
        say: Called with a line for each change.
        complain: Called with a line for each failure.
    """

    def __init__(self, settings, say, complain):
        # One thread: two loads at a time are not faster, and hold twice the memory.
        self._loader = concurrent.futures.ThreadPoolExecutor(1, "loader")
        self._models = {item.name: Model(item, self._loader, say, complain) for item in settings}

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
                    raise UsageError(
                        f"--model_config_file: model `{name}`: version label `{label}` points at"
                        f" version {number}, which is not loaded; correct it or give"
                        " --allow_version_labels_for_unavailable_models"
                    )

    async def keep_up(self, poll_seconds):
        """Follows all folders for ever; each by itself, so that none waits for another."""
        async with asyncio.TaskGroup() as tasks:
            for model in self._models.values():
                tasks.create_task(model.keep_up(poll_seconds))

    def model(self, name):
        """Returns the model of this name."""
        if name not in self._models:
            raise not_found(f"there is no model `{name}`")
        return self._models[name]

    def close(self):
        """Starts no further load."""
        self._loader.shutdown(wait=False, cancel_futures=True)
