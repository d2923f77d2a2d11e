"""What happens beside the step: pacing, progress, scalars, samples, checkpoints."""

from gan_keras.callbacks.pace import Pace
from gan_keras.callbacks.progress import Progress
from gan_keras.callbacks.samples import Samples
from gan_keras.callbacks.save import Save
from gan_keras.callbacks.scalars import Scalars

__all__ = ["Pace", "Progress", "Samples", "Save", "Scalars"]
