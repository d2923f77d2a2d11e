"""What all tests share: where things are, and small runs made once."""

import contextlib
import logging
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forks import Forks

# Before TensorFlow is imported by any test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # As the commands that train have it.
# Before NumPy is, too: threads of BLAS wait by turning round, and take the cores from other tests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shell that starts the tests in the background, and nohup, let them ignore these, and their
# processes too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).parent.parent
# For processes that make several devices of the CPU, or are compared with one that does.
ON_CPU = {"CUDA_VISIBLE_DEVICES": "-1"}
# A run that is small enough for a test and has all the parts of a real one; in one precision,
# whatever the machine is made for.
SMALL = (
    "--preset=digits",
    "--width=8",
    "--latent_dim=8",
    "--batch_size=16",
    "--mixed_precision=float32",
    "--notf32",
)
# And one with labels and all that makes the game come to rest.
LABELLED = (
    "--preset=digits_conditional",
    *SMALL[1:],
    "--ema_decay=0.9",
    "--r2_weight=0.5",
    "--penalty_every=4",
)


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    """Runs commands and scripts as processes that need not import TensorFlow; of `tests.forks`."""
    launcher = Forks(tmp_path_factory.mktemp("forks"))
    yield launcher
    launcher.close()


@pytest.fixture(scope="session")
def program():
    """Runs a command of the package as a user would; returns the finished process."""

    def run(name, *arguments, **options):
        module = f"gan_keras.cli.{name}"
        code = f"import sys; from {module} import run; sys.exit(run())"
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            **options,
        )

    return run


class _Warnings(logging.Handler):
    """Prints warnings on stderr, as `logging` does where no handler is set."""

    def emit(self, record):
        with contextlib.suppress(OSError):  # of a test that lets no file grow
            print(record.getMessage(), file=sys.stderr)


@pytest.fixture(autouse=True)
def _warnings():
    """pytest's own handlers would keep the library's warnings from a test's `capsys`."""
    handler = _Warnings(logging.WARNING)
    handler.addFilter(logging.Filter("gan_keras"))
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


@contextlib.contextmanager
def reports():
    """Collects what the library reports, from `logging.INFO` on, in a list of lines."""
    lines, handler, library = [], logging.Handler(logging.INFO), logging.getLogger("gan_keras")
    handler.emit = lambda record: lines.append(record.getMessage())
    level = library.level
    library.setLevel(logging.INFO)
    library.addHandler(handler)
    try:
        yield lines
    finally:
        library.removeHandler(handler)
        library.setLevel(level)


@contextlib.contextmanager
def limited(size):
    """Lets no file of this process grow beyond so many bytes, as on a disk that is full.

    No fixture: pytest reports a test before its fixtures end, maybe to a file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Folder of a finished small run: 30 steps on the embedded digits."""
    from gan_keras.cli import train

    workdir = tmp_path_factory.mktemp("run") / "small"
    intervals = ("--log_every=10", "--sample_every=10", "--checkpoint_every=10")
    assert train.run([*SMALL, f"--workdir={workdir}", "--steps=30", *intervals]) == 0
    return workdir


@pytest.fixture(scope="session")
def exported(small_run, tmp_path_factory):
    """Version folder 1 of the small run's export."""
    from gan_keras.exporting import saved_model as exporting

    return exporting.export(small_run, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="session")
def mnist_config(root):
    """Makes a Config of MNIST, or skips the test where it is not prepared."""
    shared = root.parent / "shared" / "tensorflow_datasets"
    data_dir = os.environ.get("TFDS_DATA_DIR") or str(shared)
    if not os.path.isdir(os.path.join(data_dir, "mnist")):
        pytest.skip(f"no prepared MNIST in {data_dir}: name its folder in TFDS_DATA_DIR")

    from gan_keras.config import config

    def make(**fields):
        return config.from_preset("dcgan2015", **{"data_dir": data_dir, **fields})

    return make
