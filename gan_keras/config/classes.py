"""`classes.json`: the names of the classes that a conditional run draws, in the order of labels."""

import json
from pathlib import Path

from gan_keras import files
from gan_keras.errors import UserError

CLASSES_FILE = "classes.json"


def save_classes(names, workdir):
    """Writes `workdir/classes.json` whole or not at all.

    Args:
        names: The classes' names; that of label i is `names[i]`.
        workdir: Folder of the run; made if missing.
    """
    path = Path(workdir, CLASSES_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(files.sealed({"names": list(names)}), ensure_ascii=False, indent=2)
    files.write(path, f"{text}\n".encode())


def load_classes(workdir):
    """Returns the names of a run's classes as a list of str, empty if it has no labels.

    Raises:
        UserError: the file is there, and holds no list of names, or no longer the one it held.
    """
    path = Path(workdir, CLASSES_FILE)
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(names, dict):  # Earlier versions wrote the list alone.
            names = files.unsealed(names)["names"]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, RecursionError, KeyError) as error:
        raise UserError(f"{path}: cannot be read: {error}; restore it") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: holds no list of names; restore it")
    return names
