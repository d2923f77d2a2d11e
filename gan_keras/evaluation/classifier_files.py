"""Where the classifier of a data set is, whether it can be had, and what makes it."""

import hashlib
import os
import re
import shlex
from pathlib import Path

from gan_keras import data
from gan_keras.config import Config
from gan_keras.data import folder
from gan_keras.errors import UsageError, UserError


def default_path(dataset: str, image_size: int, channels: int) -> Path:
    """Where the classifier of a data set is kept, in `cache_folder()`.

    That of stacked digits is that of the digits, which reads each channel.
    """
    if dataset == data.STACKED:
        dataset, channels = data.STACKED_DIGITS, 1
    name = absolute(dataset)
    label = re.sub(r"\W+", "-", name)[-40:].strip("-")
    if label != name:  # Others may be shortened to the same.
        label += "-" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    file = f"{label}-{image_size}x{image_size}x{channels}.npz"
    return cache_folder() / "classifiers" / file


def cache_folder() -> Path:
    """What can be made again is kept in $XDG_CACHE_HOME/gan_keras.

    $XDG_CACHE_HOME is ~/.cache if it is not set, or not absolute.
    Reference: https://specifications.freedesktop.org/basedir-spec/latest/

    Raises:
        UserError: neither it nor $HOME is set, and the user has no entry in the system's list.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (cache if cache.is_absolute() else Path.home() / ".cache") / "gan_keras"
    except RuntimeError:
        raise UserError(
            "XDG_CACHE_HOME: not set, and the user has no home folder; set it to a folder for "
            "classifiers and features"
        ) from None


def extractor_for(config: Config) -> str:
    """Returns the features that images of this configuration can be scored in now.

    Args:
        config: A Config of images.

    Returns:
        `classifier` where the data set has its classifier, or has classes to make it of;
        `pixels` elsewhere.
    """
    try:
        if default_path(config.dataset, config.image_size, config.channels).is_file():
            return "classifier"
        classes = data.class_names(config)
    except UserError:  # It has none, or cannot be had now, or a classifier has no place.
        return "pixels"
    return "classifier" if len(classes) > 1 else "pixels"


def command(dataset: str, image_size: int, channels: int, data_dir: str = "") -> str:
    """Returns the command line that makes the classifier at `default_path`."""
    words = [f"--dataset={dataset}", f"--image_size={image_size}", f"--channels={channels}"]
    words += [f"--data_dir={data_dir}"] if data_dir else []
    return shlex.join(["gan-keras-classifier", *words])


def is_folder(dataset: str) -> bool:
    """Whether a data set is a folder of pictures, which a person may change."""
    return dataset.startswith(folder.PREFIX)


def of_other_classes(about: dict, config: Config) -> bool:
    """Whether a classifier's `about` names other classes than its folder has by now."""
    names = about.get("class_names")  # Older files have none.
    if names is None or about["dataset"] != absolute(config.dataset):
        return False
    try:
        return names != data.class_names(config)
    except UsageError:  # It has no classes any more.
        return True


def absolute(dataset: str) -> str:
    """Returns the name of a data set that means the same in every working directory."""
    if not is_folder(dataset):
        return dataset
    return folder.PREFIX + os.path.abspath(folder.path_of(dataset))
