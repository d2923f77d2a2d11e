"""The files of checkpoints: which are whole, which are corrupt, and what becomes of those.

A checkpoint of step 30 is `ckpt-30.index` and `ckpt-30.data-*`, which TensorFlow writes, and
`ckpt-30.sha256`, which is written last, in the format of `sha256sum`. TensorFlow's own checksums
find damage only while a restore is under way, with a part of the variables replaced, and do not
tell that the files of two checkpoints were mixed.
"""

import contextlib
import hashlib
import os
import re
from pathlib import Path

import tensorflow as tf

from gan_keras import files

STATE = "checkpoint"  # TensorFlow's name for the list of what is there.
ASIDE = ".damaged"
SEAL = ".sha256"


def prefix(folder, step):
    """Returns what the names of a checkpoint's files begin with, as TensorFlow takes it."""
    return str(Path(folder, f"ckpt-{step}"))


def survey(folder):
    """Returns the steps of what was saved in a folder, whole or corrupt, newest first.

    A save that was cut short is not among them.
    """
    listed = _listed(folder)
    sealed = _steps(folder, SEAL)
    indexed = _steps(folder, ".index")
    if listed is None:  # The list is lost: whatever has an index may have been in it.
        listed = indexed
    # Killed between its index and its seal, a save is whole or was never one.
    unfinished = {step for step in indexed - sealed - listed if damage(folder, step)}
    return sorted((listed | sealed | indexed) - unfinished, reverse=True)


def damage(folder, step):
    """Returns what is wrong with a checkpoint, naming the file, or None if it is whole."""
    folder = Path(folder)
    seal = folder / f"ckpt-{step}{SEAL}"
    try:
        digests = dict(_parse(line, step) for line in seal.read_text("ascii").splitlines())
    except FileNotFoundError:
        return _unreadable(folder, step)
    except (OSError, ValueError):
        return f"{seal.name} is corrupt"
    if f"ckpt-{step}.index" not in digests:
        return f"{seal.name} is corrupt"
    for name, digest in digests.items():
        try:
            if _digest(folder / name) != digest:
                return f"{name} is corrupt"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def seal(folder, step):
    """Brings a checkpoint's files to the disk, and writes the digests that tell it is whole.

    Raises:
        OSError: the disk is full, or cannot be written to.
    """
    sealed = _sealed_paths(folder, step)
    for path in sealed:
        _sync(path)
    text = "".join(f"{_digest(path)}  {path.name}\n" for path in sealed)
    path = Path(folder, f"ckpt-{step}{SEAL}")
    files.write(path, text.encode("ascii"))
    _sync(path)
    _sync(folder)


def list_saved(folder, steps):
    """Replaces TensorFlow's list of the checkpoints, oldest first, so that its tools see them.

    Raises:
        OSError: the disk is full, or cannot be written to.
    """
    lines = [f'model_checkpoint_path: "ckpt-{steps[-1]}"']
    lines += [f'all_model_checkpoint_paths: "ckpt-{step}"' for step in steps]
    files.write(Path(folder, STATE), "".join(f"{line}\n" for line in lines).encode())


def set_aside(folder, step):
    """Renames the files of a corrupt checkpoint, so that no later save replaces or removes them.

    `ckpt-30.index` becomes `ckpt-30.index.damaged`, or `.damaged-2` if there is one already.
    """
    number = 1
    while True:
        suffix = ASIDE if number == 1 else f"{ASIDE}-{number}"
        if not list(Path(folder).glob(f"ckpt-{step}.*{suffix}")):
            break
        number += 1
    for path in paths(folder, step):
        with contextlib.suppress(FileNotFoundError):
            path.rename(path.with_name(path.name + suffix))


def remove(folder, step):
    """Removes a checkpoint; the seal last, so that a kill leaves nothing that no one removes."""
    for path in paths(folder, step):
        path.unlink(missing_ok=True)


def _steps(folder, ending):
    names = (path.name for path in Path(folder).glob(f"ckpt-*{ending}"))
    found = (re.fullmatch(rf"ckpt-(\d+){re.escape(ending)}", name) for name in names)
    return {int(match[1]) for match in found if match}


def _listed(folder):
    """The steps in TensorFlow's list: none if there is no list, None if it is corrupt."""
    try:
        text = Path(folder, STATE).read_text("ascii")
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except (OSError, ValueError):
        return None
    found = re.findall(r'^all_model_checkpoint_paths: ".*?ckpt-(\d+)"$', text, re.MULTILINE)
    return {int(step) for step in found} or None


def list_damaged(folder):
    """Whether TensorFlow's list is there and cannot be read."""
    return _listed(folder) is None


def _parse(line, step):
    digest, name = line.split("  ")
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or not name.startswith(f"ckpt-{step}."):
        raise ValueError(line)
    return name, digest


def paths(folder, step):
    """Returns the files of a checkpoint, its data, index and seal, there or not."""
    return [*_sealed_paths(folder, step), Path(folder, f"ckpt-{step}{SEAL}")]


def _sealed_paths(folder, step):
    data = sorted(Path(folder).glob(f"ckpt-{step}.data-?????-of-?????"))
    return [*data, Path(folder, f"ckpt-{step}.index")]


def _unreadable(folder, step):
    """As `damage`, of a checkpoint without digests: by TensorFlow's checksums."""
    names = [path.name for path in _sealed_paths(folder, step) if path.exists()]
    for ending in (".index", ".data-00000-of-"):
        if not any(ending in name for name in names):
            return f"ckpt-{step}{ending.removesuffix('-00000-of-')} is missing"
    try:
        reader = tf.train.load_checkpoint(prefix(folder, step))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    # The reader makes an IndexError of a file that is too short, and others of other damage.
    except Exception:
        return f"ckpt-{step}.index or its data are corrupt"
    return None


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
