"""`config.json`: reading what this version, an older or a newer one left."""

import json

from gan_keras import __version__, files
from gan_keras.errors import UserError

# What the first version wrote. A field that came, or comes, later has a default with which a run
# computes what it computed before, or is set below; so an older file can still be read.
FIRST_FIELDS = (
    *("preset", "dataset", "data_dir", "image_size", "channels", "network", "width"),
    *("latent_dim", "prior", "batch_size", "steps", "seed", "discriminator_steps"),
    *("generator_loss", "learning_rate", "beta_1", "strategy", "log_every", "sample_every"),
    *("checkpoint_every", "keep_checkpoints"),
)


def read(path, known):
    """Returns the fields of a configuration's file, as a dict whose values are not yet checked.

    Args:
        path: The file.
        known: Set of the fields' names in this version.

    Raises:
        UserError: the file does not exist, or it is corrupt, or has a field that is not known, or
            lacks one of `FIRST_FIELDS`.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{path.parent}: no {path.name} there; train a model into it first"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}; make it readable, or choose another "
            "--workdir"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: cannot be read as JSON: {error}; restore it, or choose another --workdir"
        ) from None
    if not isinstance(fields, dict):
        raise UserError(f"{path}: holds no configuration; restore it, or choose another --workdir")
    try:
        fields = files.unsealed(fields)
    except ValueError as error:
        raise UserError(
            f"{path}: corrupt or edited: {error}; restore it, or remove the line "
            f"`{files.DIGEST}` to use it as it is"
        ) from None
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise UserError(
            f"{path}: has fields that gan_keras {__version__} does not know "
            f"({', '.join(unknown)}), "
            "as a newer version writes them; install that, or choose another --workdir"
        )
    missing = [name for name in FIRST_FIELDS if name not in fields]
    if missing:
        raise UserError(
            f"{path}: lacks fields that every version writes ({', '.join(missing)}); "
            "restore it, or choose another --workdir"
        )
    fields.setdefault("mixed_precision", "float32")  # Before there was a choice.
    return fields
