"""Where the real images come from, and the order in which a training run sees them."""

import os
import sys

from gan_keras.data import digits, folder, prepare
from gan_keras.data.batches import Images
from gan_keras.errors import UsageError

__all__ = ["Images", "load"]

NAMED_FILES = 20  # A folder of a thousand broken files should not scroll everything away.


def load(config, cache_dir=None, memory_limit=prepare.MEMORY_LIMIT):
    """Returns the real images of a configuration.

    Files that cannot be read are named on stderr.

    Args:
        config: A Config; of it count `dataset`, `data_dir`, `image_size` and `channels`.
        cache_dir: Folder in which pixels that are large, or slow to make, are kept for the next
            run. By default nothing is kept.
        memory_limit: Bytes of pixels that are held in memory; more are read when needed.

    Returns:
        The Images, each (image_size, image_size, channels).

    Raises:
        UsageError: no such data set, or no image in it.
        UserError: the data set cannot be had now, or there is no room to prepare it.
    """
    source = _source(config.dataset, config)
    rows = prepare.store(source, cache_dir, memory_limit)
    _report(source)
    return Images(config.dataset, rows, source.skipped)


def _source(name, config):
    size, channels = config.image_size, config.channels
    if name == "digits":
        return digits.source(size, channels)
    if name.startswith(folder.PREFIX):
        return folder.source(name, size, channels)
    if os.path.isdir(name):
        raise UsageError(f"--dataset={name}: a folder is named with --dataset=folder:{name}")
    from gan_keras.data import tfds  # Slow to import, and needed by few.

    return tfds.source(name, size, channels, config.data_dir)


def _report(source):
    """Names the files that were skipped, and counts them."""
    skipped = source.skipped
    for name, reason in skipped[:NAMED_FILES]:
        print(f"skipped {name}: {reason}", file=sys.stderr)
    if skipped:
        more = f", of which {NAMED_FILES} are named" if len(skipped) > NAMED_FILES else ""
        print(
            f"{source.name}: skipped {len(skipped):,} of {source.most:,} files{more}",
            file=sys.stderr,
            flush=True,
        )
