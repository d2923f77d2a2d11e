"""From a source to stored images: read once, kept in memory or in a file."""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import tqdm

from gan_keras import files
from gan_keras.data import storage
from gan_keras.errors import UserError

logger = logging.getLogger(__name__)

MEMORY_LIMIT = 2**30  # Bytes; a data set with more stays on disk.
# Part of every fingerprint: raise it when the same files would give other pixels.
VERSION = 1


def store(source, cache_dir=None, memory_limit=MEMORY_LIMIT):
    """Reads a source, or finds what an earlier run kept of it.

    Args:
        source: A Source; its `skipped` is filled.
        cache_dir: Folder that keeps the pixels of large and of slow sources for the next run;
            without one they are kept, if they must, in a temporary file.
        memory_limit: Bytes up to which the images are held in memory.

    Returns:
        A storage.Memory or a storage.File.

    Raises:
        UserError: the source cannot be read, or the pixels cannot be written.
    """
    fits = source.most_bytes <= memory_limit
    if fits and (cache_dir is None or not source.slow):
        return storage.Memory(_collect(source))
    file, count = _temporary(source) if cache_dir is None else _kept(source, Path(cache_dir))
    if not fits:
        return storage.File(file, count, source.shape)
    with file:
        return storage.Memory(np.fromfile(file, np.uint8).reshape(count, *source.shape))


def _collect(source):
    """Returns all pixels as one array."""
    pixels = np.empty((source.most, *source.shape), np.uint8)
    count = 0
    for chunk in _watched(source):
        pixels[count : count + len(chunk)] = chunk
        count += len(chunk)
    return pixels[:count]


def _temporary(source):
    """Returns an open file of the pixels that goes with the process, and their number."""
    with _writing(source, tempfile.gettempdir()):
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the storage keeps it open
        return file, _write(source, file)


def _kept(source, cache_dir):
    """Returns the open file in `cache_dir` that holds the pixels, and their number.

    The file is written under another name and then renamed, so that it is whole if it is
    there; its digest tells whether it still is, and if not it is made again. Of several
    processes one writes and the others wait for it.
    """
    path = kept_path(source, cache_dir)
    partial = path.with_suffix(".partial")
    with _writing(source, cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
        kept = _open_whole(source, path)
        if kept is None:
            with open(partial, "ab") as file:
                _lock(file, path)
                # What waited for the lock may find the work done.
                kept = _open_whole(source, path)
                if kept is None:
                    fault = _fault(path) if path.exists() else None
                    _write_kept(source, file, path)
                    partial.replace(path)
                    if fault:
                        logger.warning("%s: %s; made again from %s", path, fault, source.name)
        return kept or _open_whole(source, path)


def _open_whole(source, path):
    """Returns what `_kept` does and fills `skipped`; None if the file is corrupt or not there."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - the storage keeps it open
    except FileNotFoundError:
        return None
    try:
        about = json.loads(path.with_suffix(".json").read_bytes())
        expected, count, skipped = about.pop("sha256"), about["count"], about["skipped"]
        # First what costs nothing.
        if os.fstat(file.fileno()).st_size == count * int(np.prod(source.shape)):
            digest = hashlib.file_digest(file, "sha256")
            if _finished(digest, about) == expected:
                file.seek(0)
                source.skipped[:] = [tuple(item) for item in skipped]
                return file, count
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # What describes the pixels is corrupt.
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _fault(path):
    """Why `_open_whole` returned None for a file that is there."""
    try:
        if "sha256" not in json.loads(path.with_suffix(".json").read_bytes()):
            return "kept by an earlier version, without a digest"
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    return "corrupt"


def _finished(digest, about):
    """The hexadecimal digest of the pixels, which it has seen, and of what describes them."""
    digest.update(json.dumps(about).encode())
    return digest.hexdigest()


def kept_path(source, cache_dir):
    """Where the pixels of a source are kept, if they are."""
    identity = [VERSION, source.name, source.identity, source.shape]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    label = re.sub(r"\W+", "-", source.name)[-40:].strip("-")
    return Path(cache_dir, f"{label}-{digest}.uint8")


def _lock(file, path):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.warning("waiting for another process that prepares %s", path)
        fcntl.flock(file, fcntl.LOCK_EX)


def _write_kept(source, file, path):
    file.truncate(0)  # What an interrupted process may have left.
    digest = hashlib.sha256()
    try:
        count = _write(source, file, digest)
        os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(file.name)
        raise
    about = {"dataset": source.name, "count": count, "shape": source.shape}
    about["skipped"] = source.skipped
    about["sha256"] = _finished(digest, about)
    files.write(path.with_suffix(".json"), (json.dumps(about, indent=1) + "\n").encode())


def _write(source, file, digest=None):
    count = 0
    for chunk in _watched(source):
        data = chunk.tobytes()
        file.write(data)
        if digest is not None:
            digest.update(data)
        count += len(chunk)
    file.flush()
    return count


def _watched(source):
    """Yields the chunks of a source; if that takes long, a line on stderr shows how far it is."""
    with tqdm.tqdm(
        desc=f"preparing {source.name}",
        total=source.most,
        unit=" images",
        delay=2,
        # A log file gets a line now and then, a terminal one that moves.
        mininterval=0.2 if sys.stderr.isatty() else 10,
    ) as progress:
        for read, pixels in source.chunks():
            yield pixels
            progress.update(read)


@contextlib.contextmanager
def _writing(source, folder):
    """Says what to do if the pixels cannot be kept."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        where = getattr(error, "filename", None) or folder
        raise UserError(
            f"--dataset={source.name}: its {source.most_bytes / 1e9:.1f} GB of pixels cannot be "
            f"kept in {where}: {getattr(error, 'strerror', None) or error}"
        ) from error
