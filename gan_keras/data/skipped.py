"""Telling a person which files could not be used."""

import logging
import os
from pathlib import Path

from gan_keras import files
from gan_keras.errors import UserError, visible

logger = logging.getLogger(__name__)

FILE = "skipped.txt"
NAMED = 20  # A folder of a thousand broken files should not scroll everything away.


def report(source, cache_dir=None):
    """Names the files of a source that were skipped, and counts them

    Args:
        source: A Source that was read.
        cache_dir: Folder that gets `skipped.txt`, which names all of them.

    Raises:
        UserError: that file cannot be written.
    """
    lines = [visible(f"{name}: {reason}") for name, reason in source.skipped]
    path = _write(cache_dir, lines) if cache_dir is not None else None
    if not lines:
        return
    for line in lines[:NAMED]:
        logger.warning("skipped %s", line)
    more = ""
    if len(lines) > NAMED:
        more = f", of which {NAMED} are named" + (f"; all are in {path}" if path else "")
    logger.warning(
        "%s: skipped %s of %s files%s", source.name, f"{len(lines):,}", f"{source.most:,}", more
    )


def _write(cache_dir, lines):
    """Leaves the lines in a file, or none if there are none; returns its path."""
    path = Path(cache_dir, FILE)
    try:
        if lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, "".join(f"{line}\n" for line in lines).encode())
        elif os.path.exists(path):
            path.unlink()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written: {error.strerror}; make room, or choose another --workdir"
        ) from error
    return path
