"""What happens beside the step: pace, progress, scalars, pictures, scores, saving, live frames."""

from gan_keras.training.callbacks.collapse import Collapse
from gan_keras.training.callbacks.density import Density
from gan_keras.training.callbacks.evaluate import Evaluate, evaluate_as, judge_of, lacks_scores
from gan_keras.training.callbacks.live import Live
from gan_keras.training.callbacks.live_frames import LiveFrames
from gan_keras.training.callbacks.progress import Progress
from gan_keras.training.callbacks.samples import Grid, Rows, Samples
from gan_keras.training.callbacks.save import Save
from gan_keras.training.callbacks.scalars import BOUNDS, Restart, Scalars
from gan_keras.training.callbacks.steps_per_call import StepsPerCall
from gan_keras.training.callbacks.summary_writer import CheckedSummaryWriter

__all__ = [
    "BOUNDS",
    "CheckedSummaryWriter",
    "Collapse",
    "Density",
    "Evaluate",
    "Grid",
    "Live",
    "LiveFrames",
    "Progress",
    "Restart",
    "Rows",
    "Samples",
    "Save",
    "Scalars",
    "StepsPerCall",
    "evaluate_as",
    "judge_of",
    "lacks_scores",
]
