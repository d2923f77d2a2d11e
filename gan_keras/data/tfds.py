"""Image data sets of TensorFlow Datasets, by their names."""

import contextlib
import difflib
import io
import logging
import math
import os
import types

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tqdm
from tensorflow_datasets.core.download import downloader
from tensorflow_datasets.core.utils import tqdm_utils

from gan_keras.data import pictures, pipeline
from gan_keras.data.source import Source
from gan_keras.errors import UsageError, UserError

FEATURE = "image"
LABEL = "label"
CHUNK = 1024  # Images that are decoded in one call.
RETRIES = 5  # Of a download: six seconds.

_log = logging.getLogger(__name__)
_RETRIES_LOG = logging.getLogger("urllib3.connectionpool")


def source(name, size, channels, data_dir="", test=False):
    """Returns the images of the split `train`, or of the only split; or those of `test`.

    Args:
        name: As in `tfds.builder`: `mnist`, `emnist/letters`, `mnist:3.0.1`.
        size: Height and width of the images.
        channels: 1 or 3.
        data_dir: Folder of prepared data sets; if empty, $TFDS_DATA_DIR or TFDS's default.
        test: Whether the images of the split `test` are wanted.

    Raises:
        UsageError: the data set is unknown, or it has no images, or no split `test`.
        UserError: it is not prepared, and cannot be downloaded now.
    """
    with _quiet():
        builder = _prepared(name, data_dir)
        feature = _feature(builder, name)
        split = _test_split(builder, name) if test else _split(builder, name)
        encoded = _read(builder, split, FEATURE)
    skipped = []
    same = feature.shape == (size, size, channels) and feature.np_dtype == np.uint8

    def chunks():
        with _whole(builder, name):
            if same:
                yield from _decoded(encoded, feature.shape)
            else:
                yield from pictures.read_all(_files(encoded), size, channels, skipped)

    return Source(
        name=name,
        size=size,
        channels=channels,
        most=builder.info.splits[split].num_examples,
        chunks=chunks,
        skipped=skipped,
        identity=f"{builder.info.full_name} {split}",
        slow=not same,
        labels=_classes(builder, split, skipped, name),
        class_names=_class_names(builder),
    )


def has_test(name, data_dir=""):
    """Whether there is a split `test` beside the one that is trained on.

    Raises:
        UserError: as `source`.
    """
    with _quiet():
        builder = _prepared(name, data_dir)
        return "test" in builder.info.splits and _split(builder, name) != "test"


def _prepared(name, data_dir):
    builder = _builder(name, data_dir)
    _feature(builder, name)
    if not builder.is_prepared():
        _download(builder, name)
    return builder


def _builder(name, data_dir):
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or None
    folder = os.path.expanduser(folder) if folder else None
    try:
        # Without try_gcs=False it would ask the network before it looks at the folder.
        return tfds.builder(name, data_dir=folder, try_gcs=False)
    except tfds.core.DatasetNotFoundError:
        choices = ["digits", *tfds.list_builders(with_community_datasets=False)]
        close = difflib.get_close_matches(name, choices, n=3)
        meant = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise UsageError(
            f"--dataset={name}: unknown{meant}; choose digits, folder:/path, or the name of a "
            "TFDS image data set, as mnist or cifar10"
        ) from None
    except Exception as error:  # A malformed name, a version or a package that is missing.
        raise UsageError(
            f"--dataset={name}: TFDS cannot load it: {_one_line(error)}; "
            "choose digits, folder:/path, or another TFDS image data set"
        ) from error


def _feature(builder, name):
    """Returns the description of the images; before a download, which may take hours."""
    features = dict(builder.info.features or {})
    feature = features.get(FEATURE)
    if isinstance(feature, tfds.features.Image) and feature.np_dtype in (np.uint8, np.uint16):
        return feature
    raise UsageError(
        f"--dataset={name}: has no images of 8 or 16 bits named `{FEATURE}`, only "
        f"{', '.join(features) or 'nothing'}; choose another TFDS data set, or folder:/path"
    )


def _download(builder, name):
    # TFDS has no options for these. Its 10 retries, each after twice the time of the one before,
    # would let a person without a network wait for more than three minutes.
    downloader.MAX_RETRIES = RETRIES
    tqdm_utils.tqdm_lib = types.SimpleNamespace(tqdm=_Bar)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
    except Exception as error:  # The network, the disk, a host's answer, a missing package.
        # TFDS's threads still download the other files, and would warn of each retry after it.
        _RETRIES_LOG.addFilter(lambda record: record.levelno >= logging.ERROR)
        raise UserError(
            f"--dataset={name}: not prepared in {builder.data_path}, and downloading it failed: "
            f"{_one_line(error)}; name the folder of a prepared copy with --data_dir, or try "
            "again with a network"
        ) from error
    _log.info("%s: downloaded and prepared in %s", name, builder.data_path)


class _Bar(tqdm.tqdm):
    """A progress bar of TFDS that appears when it first moves: without a network, never."""

    def display(self, *args, **kwargs):
        return super().display(*args, **kwargs) if self.n else False

    def close(self):
        if not self.n:
            self.last_print_t = -math.inf  # By which tqdm knows that there is nothing to clear.
        super().close()


def _split(builder, name):
    splits = list(builder.info.splits)
    if "train" in splits:
        return "train"
    if len(splits) == 1:
        return splits[0]
    raise UsageError(
        f"--dataset={name}: has no split `train` but {', '.join(splits) or 'none at all'}; "
        "choose another data set"
    )


def _test_split(builder, name):
    if "test" in builder.info.splits and _split(builder, name) != "test":
        return "test"
    raise UsageError(
        f"--dataset={name}: has no split `test` but {', '.join(builder.info.splits)}; "
        "choose another split, or another data set"
    )


def _classes(builder, split, skipped, name):
    """Returns the function that tells each image's class, if the data set has classes."""
    if not _class_names(builder):
        return None

    def labels():
        with _quiet(), _whole(builder, name):
            chunks = list(_read(builder, split, LABEL).as_numpy_iterator())
        found = np.delete(np.concatenate(chunks), [_position(file) for file, _ in skipped])
        if found.min() < 0:  # As TFDS writes it where the labels are kept secret.
            raise UsageError(
                f"--dataset={name}: the images of its split `{split}` have no labels; "
                "choose another data set"
            )
        return found

    return labels


def _class_names(builder):
    """Returns the names of the classes in the order of labels, if the data set has classes."""
    feature = dict(builder.info.features).get(LABEL)
    return list(feature.names) if isinstance(feature, tfds.features.ClassLabel) else []


def _read(builder, split, feature):
    """Returns a dataset of (n,) images, as strings of PNG or JPEG, or of (n,) int64 labels."""
    info = builder.info.splits[split]
    if builder.info.file_format is tfds.core.FileFormat.TFRECORD:
        # Whole batches are parsed at a time, which takes a quarter of TFDS's own reader.
        dtype = tf.string if feature == FEATURE else tf.int64
        layout = {feature: tf.io.FixedLenFeature([], dtype)}
        records = tf.data.TFRecordDataset([str(path) for path in info.filepaths])
        parsed = records.batch(CHUNK).map(lambda batch: tf.io.parse_example(batch, layout)[feature])
        return pipeline.untuned(parsed)
    decoders = tfds.decode.PartialDecoding(
        {feature: builder.info.features[feature]},
        {FEATURE: tfds.decode.SkipDecoding()} if feature == FEATURE else None,
    )
    examples = builder.as_dataset(split=split, shuffle_files=False, decoders=decoders)
    return pipeline.untuned(examples.batch(CHUNK).map(lambda batch: batch[feature]))


def _decoded(encoded, shape):
    """Yields (n, pixels of n images) for images that all have the shape wanted."""

    def decode(image):
        return tf.io.decode_image(image, channels=shape[-1], expand_animations=False)

    output = tf.TensorSpec(shape, tf.uint8)
    batches = encoded.map(
        lambda images: tf.map_fn(decode, images, fn_output_signature=output),
        num_parallel_calls=pipeline.PARALLEL,
    )
    for pixels in batches.prefetch(1).as_numpy_iterator():
        yield len(pixels), pixels


def _files(encoded):
    """Yields (name, file) for each image."""
    position = 0
    for images in encoded.as_numpy_iterator():
        for image in images:
            yield f"image {position}", io.BytesIO(image)
            position += 1


def _position(file):
    """The number in a name that `_files` gave."""
    return int(file.removeprefix("image "))


@contextlib.contextmanager
def _whole(builder, name):
    """Makes a UserError of records that are corrupt, which their checksums show, or missing."""
    try:
        yield
    except tf.errors.OpError as error:
        raise UserError(
            f"--dataset={name}: corrupt in {builder.data_path}: {error.message.splitlines()[0]}; "
            "delete that folder to prepare it again, or choose another copy with --data_dir"
        ) from None


@contextlib.contextmanager
def _quiet():
    """Silences TFDS and the retries of its downloads; errors still come as exceptions."""
    loggers = [logging.getLogger("absl"), _RETRIES_LOG]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _one_line(error):
    """What went wrong at the bottom of errors that wrap each other, as `requests` does it."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    text = str(getattr(error, "reason", None) or error).strip()
    return text.split("\n")[0] or type(error).__name__
