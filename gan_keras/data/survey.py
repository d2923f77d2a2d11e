"""What is in a folder of pictures, at a glance: from the headers and thumbnails of a few."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_keras.data import folder, pictures
from gan_keras.errors import UsageError

LOOKED_AT = 64  # Pictures, spread over the folder: a second at most.
THUMBNAIL = 64  # Pixels in which a picture's colours are looked for.
# Difference of two channels that is seen as a colour, and not as what JPEG makes of grey.
COLOUR = 24


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        count: Picture files.
        side: Median of the shorter sides, in pixels, of those looked at.
        looked_at: How many were looked at.
        coloured: How many of these have a colour.
        classes: Number of files by the sub-folder's name, in the order of labels; empty if not
            all are in sub-folders.
    """

    count: int
    side: int
    looked_at: int
    coloured: int
    classes: dict


def survey(name):
    """Looks at a folder of pictures.

    Args:
        name: `folder:` and a path, as of `--dataset`.

    Returns:
        A Survey.

    Raises:
        UsageError: the folder does not exist, or none of the pictures looked at can be read.
    """
    source = folder.source(name, size=1, channels=3)
    root, paths = Path(folder.path_of(name)), [path for path, *_ in source.files]
    spread = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), LOOKED_AT)).astype(int))
    seen = [found for i in spread if (found := _look(root / paths[i])) is not None]
    if not seen:
        raise UsageError(
            f"--dataset={name}: none of {len(spread)} pictures looked at can be read; choose "
            "another folder"
        )
    counts = dict.fromkeys(source.class_names, 0)
    for path in paths if counts else ():
        counts[Path(path).parts[0]] += 1
    sides, coloured = zip(*seen, strict=True)
    return Survey(len(paths), int(np.median(sides)), len(seen), sum(coloured), counts)


def _look(path):
    """Returns the shorter side and whether there is a colour; None if it cannot be read."""
    try:
        pictures.check_regular(path)
        with Image.open(path, formats=pictures.FORMATS) as picture:
            side = min(picture.size)
            if picture.width * picture.height > pictures.MAX_PIXELS:
                return None
            picture.draft(None, (THUMBNAIL, THUMBNAIL))
            picture.thumbnail((THUMBNAIL, THUMBNAIL))
            channels = np.asarray(picture.convert("RGB"), np.int16)
    except Exception:  # Decoders raise what they like; training names such files.
        return None
    return side, bool(np.ptp(channels, axis=2).max() > COLOUR)
