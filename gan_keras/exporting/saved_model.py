"""From a run's folder to a version folder that TensorFlow Serving loads.

`<export_dir>/<version>/` is a SavedModel with the signatures of `contract.py`, warm-up
requests for each, and a model card. It appears whole, by one rename, or not at all.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import platform
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import keras
import tensorflow as tf

import gan_keras
from gan_keras import checkpoints, drawing, files
from gan_keras import config as configs
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import conformance, contract, digests, folding, trained, warm_up
from gan_keras.exporting.served import Served

# No integer, so that no server takes it for a version. Beside a working folder lies a file that
# its exporter holds locked: the lock goes with the process, however it ends, and holds on every
# machine and in every container that shares the folder.
_TEMPORARY, _LOCK = ".exporting-", ".lock"
# A server reads versions as int64.
MOST_VERSION = 2**63 - 1


def export(
    workdir: str | Path,
    export_dir: str | Path,
    version: int | None = None,
    dtype: str = "float32",
    temperature: float = 1.0,
    checkpoint: int | str | None = None,
) -> Path:
    """Exports a checkpoint of a run.

    Args:
        workdir: Folder of the run; or `pretrained:<name>`, a model that ships with the package,
            whose score cards the version then has too.
        export_dir: Folder of the versions; made if missing.
        version: Integer from 1; the next free one by default.
        dtype: `float32` or `bfloat16`: what the layers compute in; images are float32 in any
            case. In bfloat16 a picture may differ a little in a batch of another size.
        temperature: What latents are multiplied by that are drawn from seeds: below 1 pictures
            are more typical, and there is less variety. Latents of callers are taken as given.
        checkpoint: Training step, or `best`; the newest by default.

    Returns:
        The path of the version folder.

    Raises:
        UserError: the run has no checkpoint, a folder cannot be written, or the export breaks a
            rule of TensorFlow Serving (`gan-keras-check-export` lists them).
        UsageError: the version exists already, or is none; or the run makes no images, or does
            not have the checkpoint.
    """
    checkpoints.refuse_pattern("--export_dir", export_dir)
    export_dir = Path(export_dir)
    versions = _versions(export_dir)
    if version is not None and not 1 <= version <= MOST_VERSION:
        raise UsageError(f"--version={version}: must be from 1 to {MOST_VERSION}")
    _number(version, versions)
    if version in versions:
        raise UsageError(
            f"--version={version}: {export_dir / versions[version]} exists already; "
            "omit --version for the next free one"
        )
    run = trained.restore(workdir, checkpoint)
    try:
        export_dir.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(export_dir)
        with _working_folder(export_dir) as temporary:
            folded = folding.fold(run.generator, dtype)
            served = Served(folded, run.config.prior, temperature, run.classes)
            signatures = served.signatures()
            tf.saved_model.save(served, str(temporary), signatures=signatures)
            warm_up.write(temporary, signatures)
            _write_grid(temporary, signatures)
            _write_card(temporary, run, dtype, temperature, run.folder or Path(workdir))
            _check(temporary)
            return _rename(temporary, export_dir, version)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(
            f"--export_dir={export_dir}: cannot be written: {files.why(error)}"
        ) from None


def _check(folder):
    """Looks at a finished export as TensorFlow Serving would: what is wrong gets no version."""
    broken = conformance.failed(conformance.check_version(folder, named=False))
    if broken:
        told = "; ".join(f"{each.rule}: {each.found}" for each in broken)
        raise UserError(
            f"--export_dir: nothing was exported, since no server would serve it rightly: {told}"
        )


def _versions(export_dir):
    """Returns the version folders: integer -> name, as TF Serving reads the names."""
    try:
        names = [path.name for path in export_dir.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"--export_dir={export_dir}: {error.strerror}") from None
    return {int(name): name for name in names if name.isascii() and name.isdigit()}


def _rename(temporary, export_dir, version):
    """Gives a finished export its version, taking the next integer if another came first."""
    while True:
        number = _number(version, _versions(export_dir))
        try:
            return temporary.rename(export_dir / str(number))
        except OSError:
            if version is not None or number not in _versions(export_dir):
                raise


def _number(version, versions):
    """Returns the version, or the one after the greatest that a server can read."""
    if version is not None:
        return version
    number = max((other for other in versions if other <= MOST_VERSION), default=0) + 1
    if number > MOST_VERSION:
        raise UsageError(
            f"--version: {MOST_VERSION} is there and has no next one; name one that is free"
        )
    return number


@contextlib.contextmanager
def _working_folder(export_dir):
    """Yields a path that no other exporter uses or clears, and removes what is left there."""
    while True:
        descriptor, name = tempfile.mkstemp(_LOCK, _TEMPORARY, export_dir)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.exists(name):
            break
        os.close(descriptor)  # Another took it for abandoned before it was locked.
    folder = Path(name.removesuffix(_LOCK))
    try:
        yield folder
    finally:
        _remove(folder, name)
        os.close(descriptor)


def _clear_abandoned(export_dir):
    """Removes what killed exporters left behind: what nobody holds the lock of."""
    for path in export_dir.iterdir():
        if not (path.name.startswith(_TEMPORARY) and path.name.endswith(_LOCK)):
            continue
        # Another exporter may have removed it, and it may be somebody else's.
        with contextlib.suppress(OSError), open(path, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path.with_name(path.name.removesuffix(_LOCK)), path)


def _remove(folder, lock):
    """Removes a working folder, and its lock last: without one nobody would clear it."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.unlink(lock)


def _write_grid(folder, signatures):
    """Writes the pictures of the first seeds, as an operator sees them before they are served."""
    seeds = tf.range(contract.MAX_BATCH_SIZE, dtype=tf.int64)
    pictures = signatures[contract.SAMPLE_SIGNATURE](seeds)[contract.IMAGES].numpy()
    drawing.save_png(folder / contract.SAMPLE_GRID_FILE, drawing.grid(pictures))


def _write_card(folder, run, dtype, temperature, workdir):
    """Writes what the model is and where it comes from, last: it has the digests of all files."""
    card = {
        "run": workdir.resolve().name,
        "step": run.step,
        "dtype": dtype,
        "temperature": temperature,
        "dataset": run.config.dataset,
        "classes": run.classes,
        "config": dataclasses.asdict(run.config),
        # Scores are of the weights as they were trained.
        "scores": _scores(workdir, run.step, temperature) if dtype == "float32" else [],
        "sample_grid": contract.SAMPLE_GRID_FILE,
        **({"pretrained": run.card} if run.card else {}),
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "versions": {
            "gan_keras": gan_keras.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
        digests.FIELD: digests.of(folder),
    }
    text = json.dumps(files.sealed(card), indent=2) + "\n"
    (folder / contract.MODEL_CARD_FILE).write_text(text)


def _scores(workdir, step, temperature):
    """Returns the score cards of a run that are about the exported step, as they stand there."""
    found = []
    for path in sorted((workdir / configs.SCORES_FOLDER).glob("*.json")):
        with contextlib.suppress(OSError, ValueError):  # no card, and no reason not to export
            card = json.loads(path.read_text(encoding="utf-8"))
            if (
                isinstance(card, dict)
                and card.get("step") == step  # None in a reference's
                and card.get("temperature", 1.0) == temperature
            ):
                found.append(card)
    return found


def git_commit():
    """Returns the commit of the checkout that this package runs from; None outside of one."""
    package = Path(gan_keras.__file__).parent
    command = ["git", "-C", str(package), "rev-parse", "HEAD"]
    if not (package.parent / ".git").exists():
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):  # It may hang, on a dead disk say.
        return None
