"""What happens beside the step: pace, progress, scalars, pictures, scores, saving, warnings."""

from gan_keras.callbacks.collapse import Collapse
from gan_keras.callbacks.density import Density
from gan_keras.callbacks.evaluate import Evaluate
from gan_keras.callbacks.journal import Journal
from gan_keras.callbacks.pace import Pace
from gan_keras.callbacks.progress import Progress
from gan_keras.callbacks.samples import Grid, Samples
from gan_keras.callbacks.save import Save
from gan_keras.callbacks.scalars import BOUNDS, Restart, Scalars

__all__ = [
    "BOUNDS",
    "Collapse",
    "Density",
    "Evaluate",
    "Grid",
    "Journal",
    "Pace",
    "Progress",
    "Restart",
    "Samples",
    "Save",
    "Scalars",
]
