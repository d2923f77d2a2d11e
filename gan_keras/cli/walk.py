"""The picture of a walk between two seeds: a strip and an animation."""

import math

import numpy as np

STRIP = 12  # Pictures of the strip: more are too small on a screen.
GIF_HEIGHT = 192  # Pixels of the animation, at least.
SECONDS = 0.08  # Of a frame.


def strip(pictures):
    """Returns a walk as one row of pictures, spread evenly if there are many, with both ends.

    Args:
        pictures: (n, height, width, channels) uint8, n >= 2.

    Returns:
        (H, W, channels) uint8.
    """
    from gan_keras.drawing import images

    chosen = np.linspace(0, len(pictures) - 1, min(STRIP, len(pictures))).round().astype(int)
    return images.grid(pictures[chosen], columns=len(chosen))


def save_animation(path, pictures):
    """Writes a walk there and back as a GIF that loops, whole or not at all.

    Args:
        path: The file; its folder must exist.
        pictures: As of `strip`.

    Raises:
        OSError: it cannot be written.
    """
    from gan_keras.drawing import figures, images  # With matplotlib: imported for those who ask.

    scale = math.ceil(GIF_HEIGHT / pictures.shape[1])
    frames = [images.grid(picture[np.newaxis], scale=scale) for picture in pictures]
    frames = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in frames]
    figures.save_gif(path, [*frames, *frames[-2:0:-1]], SECONDS, SECONDS)
