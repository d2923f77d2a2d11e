"""From a run to pictures: a version folder that TensorFlow Serving loads, or in this process.

The room is not called `export`, because `gan_keras.export` is the function. TensorFlow is imported
with the functions; `contract`, the names that exporters, servers and clients share, needs none,
nor does `arguments`, which checks what is asked.
"""

from typing import TYPE_CHECKING

from gan_keras import lazy

if TYPE_CHECKING:
    from gan_keras.exporting.loading import LoadedGenerator as LoadedGenerator
    from gan_keras.exporting.loading import load as load
    from gan_keras.exporting.saved_model import export as export

__all__ = ["LoadedGenerator", "export", "load"]

_HOMES = {
    "LoadedGenerator": "gan_keras.exporting.loading",
    "export": "gan_keras.exporting.saved_model",
    "load": "gan_keras.exporting.loading",
}
__getattr__ = lazy(__name__, _HOMES)
