"""What a run's images were when it began, and what it gets when they are others by now.

A run that goes on must see the batches that an uninterrupted one would have seen. So it is held
to the images of its beginning: their pixels are still in the run's folder, whatever became of
the files.
"""

import dataclasses
import json
import logging
import os
from pathlib import Path

from gan_keras import files
from gan_keras.data import folder, prepare
from gan_keras.errors import UserError, visible

logger = logging.getLogger(__name__)

FILE = "images.json"
# What a record has beside its digest; earlier versions wrote these alone.
FIELDS = {"dataset", "identity", "files"}
NAMED = 3  # Files that a person recognises the change by.


def hold(source, cache_dir, resumes):
    """Returns the source that the run in whose folder `cache_dir` is has to read.

    Args:
        source: A Source as it is now.
        cache_dir: Folder of what the run keeps of its data.
        resumes: Whether the run has been trained before: only then is it held to anything, so
            that a folder can be put in order after the first complaint about it.

    Returns:
        `source`; or, if files of it were changed since the run began, what is kept of it as it
        was then, after a warning.

    Raises:
        UserError: it has changed and nothing is kept, or the record cannot be read or written.
    """
    path = Path(cache_dir, FILE)
    if not source.identity:
        return source
    then = _read(path) if resumes and os.path.exists(path) else None
    if then is None:
        _write(path, source)
        return source
    if (then["dataset"], then["identity"]) == (source.name, source.identity):
        if not then["digest"]:
            _write(path, source)
        return source
    kept = _as_it_was(source, then)
    change = _change(then, source)
    if not then["digest"] or not prepare.kept_path(kept, cache_dir).exists():
        raise UserError(
            f"--dataset={source.name}: has changed since this run began ({change}); "
            "restore it as it was, or train into another --workdir"
        )
    logger.warning(
        "%s: has changed since this run began (%s); using the images kept in %s; another "
        "--workdir trains on the new ones",
        source.name,
        change,
        cache_dir,
    )
    return kept


def _as_it_was(source, then):
    """The source of a record; it can only be had from what is kept."""
    skipped = []
    paths = [path for path, *_ in then["files"]]
    return dataclasses.replace(
        source,
        most=len(then["files"]),
        identity=then["identity"],
        files=then["files"],
        chunks=_lost(source.name),
        skipped=skipped,
        labels=folder.classes(paths, skipped),
        class_names=folder.class_names(paths),
    )


def _lost(name):
    """What is called in place of reading, where what is kept turns out to be damaged."""

    def chunks():
        raise UserError(
            f"--dataset={name}: what the run keeps of its images is corrupt, and they have "
            "changed since it began; restore them as they were, or train into another --workdir"
        )

    return chunks


def _change(then, source):
    """What became of the files, in a few words."""
    old, new = ({path: state for path, *state in rows} for rows in (then["files"], source.files))
    if not old or not new:
        return f"{then['identity']} then, {source.identity} now"
    ways = {
        "added": [path for path in new if path not in old],
        "removed": [path for path in old if path not in new],
        "edited": [path for path in new if path in old and new[path] != old[path]],
    }
    counts = ", ".join(f"{len(paths):,} {way}" for way, paths in ways.items() if paths)
    changed = [path for paths in ways.values() for path in paths]
    names = ", ".join(changed[:NAMED])
    more = f" and {len(changed) - NAMED:,} more" if len(changed) > NAMED else ""
    return visible(f"{counts}: {names}{more}")


def _read(path):
    """Returns a record's fields, with its `digest`: None in one of an earlier version."""
    try:
        then = json.loads(path.read_bytes())
        digest = then.get(files.DIGEST)
        then = files.unsealed(then)
        if then.keys() != FIELDS:
            raise ValueError(f"its fields are not {', '.join(sorted(FIELDS))}")
        for field in ("dataset", "identity"):
            if not isinstance(then[field], str):
                raise ValueError(f"{field} is no text")
        # What a corrupt file holds instead of rows must not surface later.
        then["files"] = [[str(name), int(size), int(time)] for name, size, time in then["files"]]
        return {**then, "digest": digest}
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; make it readable") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path}: corrupt ({error}); if the pictures are those of the run's beginning, "
            "delete it"
        ) from error


def _write(path, source):
    now = {"dataset": source.name, "identity": source.identity, "files": source.files}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, (json.dumps(files.sealed(now)) + "\n").encode())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written: {error.strerror}; make room, or choose another --workdir"
        ) from error
