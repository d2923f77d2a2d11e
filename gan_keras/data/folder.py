"""A person's own pictures: `folder:/path`."""

import hashlib
import os
from pathlib import Path

import numpy as np

from gan_keras.data import pictures
from gan_keras.data.source import Source
from gan_keras.errors import UsageError

PREFIX = "folder:"
SUFFIXES = (".gif", ".jpg", ".jpeg", ".png", ".webp")
# Pictures too, which nothing here decodes: they are named, instead of missed later.
OTHER_SUFFIXES = (".avif", ".bmp", ".heic", ".heif", ".jxl", ".tif", ".tiff")


def source(name, size, channels):
    """Returns the pictures in a folder and its sub-folders, in the order of their paths.

    If all of them are in sub-folders, these are the classes, numbered in the order of their names.

    Args:
        name: `folder:` and a path, which may be relative or begin with `~`.
        size: Height and width of the images.
        channels: 1 or 3.

    Raises:
        UsageError: the folder does not exist, or no picture in it. The source itself raises one
            when it is read to the end and all files were broken.
    """
    root = _root(name)
    paths = sorted(_paths(root, name), key=os.fsencode)
    if not any(path.lower().endswith(SUFFIXES) for path in paths):
        raise UsageError(
            f"--dataset={name}: no {', '.join(s[1:] for s in SUFFIXES)} files in {root} or below; "
            "name a folder that has some"
        )
    files = [[path, *_state(root / path)] for path in paths]
    skipped = []

    def chunks():
        named = ((path, root / path) for path in paths)
        found = 0
        for read, pixels in pictures.read_all(named, size, channels, skipped):
            found += len(pixels)
            yield read, pixels
        if not found:
            raise UsageError(
                f"--dataset={name}: none of the {len(paths):,} picture files can be read, "
                f"as {skipped[0][0]}: {skipped[0][1]}; choose another folder"
            )

    return Source(
        name=name,
        size=size,
        channels=channels,
        most=len(paths),
        chunks=chunks,
        skipped=skipped,
        identity=_digest(files),
        slow=True,
        labels=classes(paths, skipped),
        class_names=class_names(paths),
        files=files,
    )


def classes(paths, skipped):
    """Returns the function that tells each picture's class, if all are in sub-folders."""
    numbers = {name: i for i, name in enumerate(class_names(paths))}
    if not numbers:
        return None
    folders = [Path(path).parts[0] for path in paths]

    def labels():
        broken = {path for path, _ in skipped}
        pairs = zip(paths, folders, strict=True)
        return np.array([numbers[name] for path, name in pairs if path not in broken], np.int64)

    return labels


def class_names(paths):
    """Returns the names of the sub-folders if all pictures are in one, in the order of labels."""
    parts = [Path(path).parts for path in paths]
    if any(len(part) < 2 for part in parts):
        return []
    return sorted({part[0] for part in parts}, key=os.fsencode)


def path_of(name):
    """Returns the path in the name of a data set that is a folder."""
    # Unlike pathlib's, this takes a user that does not exist and a name that is too long.
    return os.path.expanduser(name.removeprefix(PREFIX))


def _root(name):
    path, root = name.removeprefix(PREFIX), path_of(name)
    if not path:
        problem = "no folder named"
    elif not os.path.exists(root):
        problem = "folder not found"
    elif not os.path.isdir(root):
        problem = "not a folder"
    else:
        return Path(root)
    raise UsageError(f"--dataset={name}: {problem}; give a folder of pictures, as {PREFIX}/path")


def _paths(root, name):
    """The picture files below the folder, relative to it; what is hidden is left out."""

    def fail(error):
        raise UsageError(
            f"--dataset={name}: cannot list {error.filename}: {error.strerror}; "
            "make it readable, or choose another folder"
        )

    seen = set()
    # Links are followed, because folders of classes often are links; but not in a circle.
    for folder, subfolders, files in os.walk(root, onerror=fail, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # Sorted, so that of two links to one folder it is always the same that counts.
        subfolders[:] = sorted(sub for sub in subfolders if not sub.startswith("."))
        for file in files:
            if not file.startswith(".") and file.lower().endswith(SUFFIXES + OTHER_SUFFIXES):
                yield os.path.relpath(os.path.join(folder, file), root)


def _state(path):
    """A file's length in bytes and its time of change in ns."""
    try:
        status = os.stat(path)
    except OSError:  # A dangling link; reading it will say so.
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _digest(files):
    """Hash of every file's path, length and time of change."""
    digest = hashlib.sha256()
    for path, size, time in files:
        digest.update(os.fsencode(path) + f"\0{size} {time}\n".encode())
    return digest.hexdigest()
