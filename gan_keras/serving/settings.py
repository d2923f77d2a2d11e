"""Which models to serve: from two flags or from TensorFlow Serving's configuration file."""

import re
from pathlib import Path

from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import model_config

MAX_VERSION = model_config.MAX_VERSION
ModelSettings = model_config.ModelSettings
from_file = model_config.from_file


def from_flags(name, base_path):
    """Returns the settings that --model_name and --model_base_path ask for.

    Raises:
        UsageError: a flag is missing or has a value that cannot be used.
    """
    if not base_path:
        raise UsageError(
            "--model_base_path: required, or --model_config_file; it is the folder that"
            " gan-keras-export --export_dir wrote"
        )
    if not name or re.search("[/:]", name):
        raise UsageError(f"--model_name={name}: must be a name without / and :")
    return (ModelSettings(name, Path(base_path).absolute()),)


def check_folder(settings):
    """Raises a UserError unless the model's base path has a version to serve."""
    where = f"model `{settings.name}`: {settings.base_path}"
    export = (
        f"export a version with gan-keras-export --workdir <run> --export_dir {settings.base_path}"
    )
    try:
        if settings.wanted():
            return
    except FileNotFoundError:
        raise UserError(f"{where} does not exist; {export}") from None
    except OSError as error:
        raise UserError(f"{where} cannot be listed: {error.strerror}; {export}") from None
    if settings.specific is not None:
        raise UserError(f"{where} has none of the versions {sorted(settings.specific)}; {export}")
    raise UserError(f"{where} has no version, a folder named by a whole number; {export}")
