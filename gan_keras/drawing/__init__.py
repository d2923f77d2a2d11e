"""Pictures for people: grids and PNG files (`images`), plots and animations (`figures`), pages.

None needs TensorFlow. Pillow is imported with the functions, as a server of `pages` needs none;
`figures`, which needs matplotlib, is imported by its own name.
"""

from typing import TYPE_CHECKING

from gan_keras import lazy

if TYPE_CHECKING:
    from gan_keras.drawing.images import decode_png as decode_png
    from gan_keras.drawing.images import encode_png as encode_png
    from gan_keras.drawing.images import grid as grid
    from gan_keras.drawing.images import save_png as save_png
    from gan_keras.drawing.images import to_uint8 as to_uint8

__all__ = ["decode_png", "encode_png", "grid", "save_png", "to_uint8"]

__getattr__ = lazy(__name__, dict.fromkeys(__all__, "gan_keras.drawing.images"))
