"""Where the real images come from, and the order in which a training run sees them."""

import dataclasses
import os
from functools import partial

from gan_keras.data import clusters, digits, folder, prepare, skipped, stacked
from gan_keras.data import manifest as record
from gan_keras.data.batches import Images, without_classes
from gan_keras.data.densities import DENSITIES, Mixture, Points
from gan_keras.data.survey import survey
from gan_keras.errors import UsageError

STACKED, STACKED_DIGITS = stacked.NAME, stacked.DIGITS

__all__ = [
    "SPLITS",
    "STACKED",
    "STACKED_DIGITS",
    "Images",
    "Mixture",
    "Points",
    "class_names",
    "has_test",
    "labels",
    "load",
    "survey",
]

# What is trained on; what was kept from it with --held_out; what the data set itself keeps.
SPLITS = ("train", "validation", "test")


def load(config, split="train", cache_dir=None, memory_limit=prepare.MEMORY_LIMIT, resumes=False):
    """Returns the real images of a configuration, or the Points of a known density.

    Files that cannot be read are named on stderr.

    Args:
        config: A Config; of it count `dataset`, `data_dir`, `held_out`, `image_size` and
            `channels`.
        split: `train`, all but the `held_out` images that `Images.split` takes; `validation`,
            these; or `test`, the split of that name, which no run trains on.
        cache_dir: Folder in which pixels that are large, or slow to make, are kept for the next
            run. By default nothing is kept.
        memory_limit: Bytes of pixels that are held in memory; more are read when needed.
        resumes: Whether a run is resumed with what `cache_dir` keeps: it gets the images of its
            beginning, whatever became of the files.

    Returns:
        The Images, each (image_size, image_size, channels); of a known density, whatever the
        split, the Points.

    Raises:
        UsageError: the data set or its split is unknown, or holds no image.
        UserError: the data set cannot be had now, or no longer as the run began with it, or
            there is no room to prepare it.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split}")
    if config.dataset in DENSITIES:
        return Points(config.dataset)
    if split == "validation" and not config.held_out:
        raise UsageError(
            "--held_out=0: keeps no images for validation; train with --held_out=1 or more"
        )
    source = _source(config, test=split == "test")
    if cache_dir is not None:
        source = record.hold(source, cache_dir, resumes)
    rows = prepare.store(source, cache_dir, memory_limit)
    skipped.report(source, cache_dir)
    images = Images(
        config.dataset,
        rows,
        source.skipped,
        source.labels,
        source.class_names,
        in_class_order=bool(source.class_names) and source.name.startswith(folder.PREFIX),
    )
    if split == "test":
        return images
    images = _kept_or_held_out(images, split, config.held_out)
    return _clustered(images, config.clusters) if config.clusters else images


def labels(config, split="train", cache_dir=None):
    """Returns the class of each image of a split, as (n,) int64 from 0 on, in the same order.

    Who has the Images asks them, instead of reading everything again.

    Raises:
        UsageError: as `load`, and the data set has no classes.
        UserError: as `load`.
    """
    return load(config, split, cache_dir).labels()


def class_names(config):
    """Returns the names of a data set's classes in the order of labels, without reading images.

    Raises:
        UsageError: as `load`, and the data set has no classes, or one whose name is no text.
        UserError: as `load`.
    """
    if config.clusters:
        return clusters.names(config.clusters)
    source = _source(config, test=False)
    if not source.class_names:
        raise UsageError(without_classes(source.name))
    for name in source.class_names:
        if name.encode(errors="replace").decode() != name:
            raise UsageError(
                f"--dataset={source.name}: the name of its sub-folder {name} is not UTF-8, and "
                "cannot stand for a class; rename it, or give --noconditional"
            )
    return source.class_names


def has_test(config):
    """Whether the data set of a configuration has the split `test`.

    Raises:
        UsageError: unknown data set.
        UserError: the data set cannot be had now.
    """
    name = stacked.DIGITS if config.dataset == stacked.NAME else config.dataset
    if name in DENSITIES or _is_ours(name):
        return name in DENSITIES  # Fresh draws are a test set.
    return _tfds(name).has_test(name, config.data_dir)


def _clustered(images, count):
    return dataclasses.replace(
        images, read_labels=clusters.labels_of(images, count), class_names=clusters.names(count)
    )


def _kept_or_held_out(images, split, held_out):
    if held_out >= images.count:
        raise UsageError(
            f"--held_out={held_out}: {images.name} has {images.count:,} images; "
            f"hold out at most {images.count - 1}"
        )
    if not held_out:
        return images
    return images.split(held_out)[split == "validation"]


def _source(config, test):
    name, size, channels = config.dataset, config.image_size, config.channels
    if _is_ours(name) and test:
        raise UsageError(
            f"--dataset={name}: has no split `test`; keep images of it with --held_out, "
            "or choose a TFDS data set that has one"
        )
    if name == "digits":
        return digits.source(size, channels)
    if name.startswith(folder.PREFIX):
        return folder.source(name, size, channels)
    if name == stacked.NAME:
        read = partial(_tfds(stacked.DIGITS).source, stacked.DIGITS, size, 1, config.data_dir, test)
        return stacked.source(size, channels, read, test)
    return _tfds(name).source(name, size, channels, config.data_dir, test)


def _is_ours(name):
    """Whether the data set is one that this package reads itself."""
    return name == "digits" or name.startswith(folder.PREFIX)


def _tfds(name):
    if os.path.isdir(name):
        raise UsageError(f"--dataset={name}: a folder is named with --dataset=folder:{name}")
    from gan_keras.data import tfds  # Slow to import, and needed by few.

    return tfds
