"""What all commands share: reading flags, and telling a user's mistake in one line."""

import contextlib
import ctypes
import errno
import importlib.util
import logging
import math
import os
import platform
import re
import resource
import signal
import sys
import tempfile
from pathlib import Path

from absl import flags

from gan_keras import files
from gan_keras.cli.moving_sign import moving_sign
from gan_keras.errors import UsageError, UserError, visible

# Of address space: a small run took 2.7 GiB on two cores, and TensorFlow ends in C++ with less.
LEAST_MEMORY = 3 * 2**30  # bytes
# How a write fails whose file no error names.
_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EIO)

logger = logging.getLogger(__name__)


def parse(argv, program, summary, define, groups=None):
    """Reads the flags of one command.

    Args:
        argv: The arguments without the program's name; None for those of this process.
        program: The command's name, for its help.
        summary: What the command does, in a sentence or two.
        define: Called with an empty `absl.flags.FlagValues`, to define the flags in it.
        groups: Dict from a heading to the names of its flags, for the help; all flags stand
            in one group by default.

    Returns:
        The `FlagValues`; a flag that was not given and has no default is None.

    Raises:
        UsageError: an unknown flag, a value that does not fit, or a stray argument.
        SystemExit: with 0, after printing the help that was asked for.
    """
    values = flags.FlagValues()
    define(values)
    groups = groups or {"Flags": sorted(values)}
    flags.DEFINE_boolean("help", False, "Print this help.", short_name="h", flag_values=values)
    flags.DEFINE_boolean("helpfull", False, "Print this help.", flag_values=values)
    try:
        rest = values([program, *(sys.argv[1:] if argv is None else argv)])[1:]
    # absl itself lets some through, as of --noname=value and of a flag file that is no text.
    except (flags.Error, ValueError, OSError) as error:
        raise UsageError(f"{error}; see {program} --help") from None
    if values.help or values.helpfull:
        _print_help(values, program, summary, groups)
        raise SystemExit(0)
    if rest:
        raise UsageError(f"{rest[0]}: unexpected argument; see {program} --help")
    for name in values:
        _check(name, values[name].value)
    return values


def _check(name, value):
    """Refuses what absl's bounds let pass, and no use of a flag expects."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"--{name}={value}: give a finite number")
    # Of a flag file: no argument can hold one, and no name of a file.
    if isinstance(value, (str, list)) and "\0" in "".join(value):
        raise UsageError(f"--{name}={value}: has a NUL character; take it out of the flag file")


def define_checkpoint(values):
    """Defines --checkpoint, of commands that read a run."""
    flags.DEFINE_string(
        "checkpoint",
        None,
        "Training step of the checkpoint, or best, which --keep_best keeps (default: the newest).",
        flag_values=values,
    )


def checkpoint(values):
    """Returns the value of --checkpoint: a step, `best`, or None.

    Raises:
        UsageError: it is something else.
    """
    given = values.checkpoint
    if given in (None, "best"):
        return given
    if not re.fullmatch(r"[0-9]{1,18}", given):  # Python refuses to read much longer ones.
        raise UsageError(f"--checkpoint={given}: give a training step, or best")
    return int(given)


def _print_help(values, program, summary, groups):
    print(f"{program}: {summary}")
    for heading, names in groups.items():
        print(f"\n{heading}:")
        for name in names:
            flag = values[name]
            default = "" if flag.default in (None, "") else f" (default: {flag.default})"
            print(f"  --{name}: {flag.help}{default}")
    print("\n  --flagfile=FILE: Read flags from a file, one a line.")


def guarded(program, command):
    """Calls `command()` and returns the exit status; a UserError becomes one line on stderr.

    If whoever read the output has gone, as `head` does, the command ends without a word and
    with the status of a program that SIGPIPE ended. A disk that is full is one line, too.
    """
    _open_standard_streams()
    try:
        try:
            return _guarded(program, command)
        finally:  # after a SystemExit too, as --help ends
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _discard_unwritten()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is not None or error.errno not in _LOST:
            raise
        print(f"{program}: standard output or a file: {files.why(error)}", file=sys.stderr)
        _discard_unwritten()
        return 1


def _discard_unwritten():
    """Or the interpreter would try again to write it, and complain, when it ends."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError:
            _discard(descriptor)
        except (AttributeError, ValueError):
            pass  # Closed from the start, or no file.


def _open_standard_streams():
    """Opens those that are closed: or a model's file or a client would get their number.

    What writes to number 2, as TensorFlow does, would write into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        if getattr(sys, name) is None:  # Python found it closed when it started.
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115
    # What the terminal's encoding lacks is no reason to end; standard error is so from the start.
    if getattr(sys.stdout, "errors", None) == "strict" and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def _guarded(program, command):
    try:
        with _reports():
            return command() or 0
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if not _of_memory(error):
            raise
        what = visible(str(error).split("\n")[0][:200])
        print(
            f"{program}: out of memory{what and f' ({what})'}; give it more, or ask for less: a "
            "smaller batch, model or number of samples",
            file=sys.stderr,
        )
        return 1


def _of_memory(error):
    """Whether memory is what lacked, of which each library has an error of its own."""
    if isinstance(error, MemoryError):
        return True
    # TensorFlow's; it is not imported for it.
    if "ResourceExhaustedError" in {each.__name__ for each in type(error).__mro__}:
        return "OOM" in str(error) or "memory" in str(error)
    if isinstance(error, ImportError):
        return "failed to map segment" in str(error) or "allocate memory" in str(error)
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


class _Lines(logging.Handler):
    """Prints what the library reports: on stdout, and on stderr from warnings on.

    A reader that has gone, or a full disk, ends no run and no server.
    """

    def emit(self, record):
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        try:
            print(record.getMessage(), file=stream, flush=True)
        except BrokenPipeError:
            # Or the lines that are left would fail again at the interpreter's end.
            _discard(stream.fileno())
        except (OSError, ValueError):  # a full disk, a closed stream
            pass


def _discard(descriptor):
    """Lets what is written to a descriptor go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextlib.contextmanager
def _reports():
    library, handler = logging.getLogger("gan_keras"), _Lines()
    before = library.level, library.propagate
    library.setLevel(logging.INFO)
    library.propagate = False
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)
        library.setLevel(before[0])
        library.propagate = before[1]


def _load_cusolver():
    """Loads cuSOLVER as `tensorflow[and-cuda]` brings it, where TensorFlow 2.21 does not look.

    Without it TensorFlow uses no GPU. Once loaded, it is found by its name.
    """
    package = importlib.util.find_spec("nvidia")
    for folder in (package and package.submodule_search_locations) or ():
        for library in Path(folder, "cusolver", "lib").glob("libcusolver.so.*"):
            with contextlib.suppress(OSError):  # TensorFlow then goes on without a GPU.
                ctypes.CDLL(str(library))


def import_tensorflow(onednn=False):
    """Reports that TensorFlow starts, and imports it without its own notices.

    The notices come from C++ before TensorFlow's logging is set up, so that no setting
    silences all of them: standard error is set aside during the import, and whatever is
    not a notice is printed afterwards.

    Args:
        onednn: Whether to use oneDNN's operators also on an x86 CPU where TensorFlow leaves them
            out by itself: training and scores are several times as fast. A server leaves it to
            TensorFlow, so that its pictures are those of TensorFlow Serving to the last bit. What
            the environment says counts in any case.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY and soft < LEAST_MEMORY:
        raise UserError(
            f"ulimit -v {soft // 1024}: TensorFlow takes {LEAST_MEMORY // 1024} KiB of address "
            "space and more; raise it, as with ulimit -v unlimited"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # A card's memory as it is needed: training, scores and a server can share one.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if onednn and platform.machine() == "x86_64":
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    _load_cusolver()
    sys.stderr.flush()
    visible = os.dup(2)
    try:
        aside = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(
            f"TMPDIR: no folder for temporary files: {error.strerror}; name one that can be "
            "written to"
        ) from None
    with aside:
        if "tensorflow" not in sys.modules:
            logger.info("starting TensorFlow")
        os.dup2(aside.fileno(), 2)
        try:
            with moving_sign(visible):
                import keras  # noqa: F401
                import tensorflow  # noqa: F401
        finally:
            sys.stderr.flush()
            os.dup2(visible, 2)
            os.close(visible)
            aside.seek(0)
            said = aside.read().decode(errors="replace").splitlines()
            with contextlib.suppress(OSError):  # a full disk keeps nobody from going on
                for line in said:
                    if not re.match(r"WARNING: All log messages before absl|[IW]\d{4} ", line):
                        print(line, file=sys.stderr)
