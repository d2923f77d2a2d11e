"""From a run's folder to a version folder that TensorFlow Serving loads.

The room is not called `export`, because `gan_keras.export` is the function. TensorFlow is imported
with the functions; `contract`, the names that exporters, servers and clients share, needs none.
"""

from typing import TYPE_CHECKING

from gan_keras import lazy

if TYPE_CHECKING:
    from gan_keras.exporting.saved_model import export as export

__all__ = ["export"]

__getattr__ = lazy(__name__, {"export": "gan_keras.exporting.saved_model"})
