"""Pictures for people: grids and PNG files (`images`), plots and animations (`figures`).

Neither needs TensorFlow; `figures`, which needs matplotlib, is imported by its own name.
"""

from gan_keras.drawing.images import decode_png, encode_png, grid, save_png, to_uint8

__all__ = ["decode_png", "encode_png", "grid", "save_png", "to_uint8"]
