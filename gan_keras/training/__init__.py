"""From a Config to a trained run in a folder, and whether such a run resumes exactly."""

from gan_keras.training.run import Outcome, describe, train
from gan_keras.training.verify_resume import verify

__all__ = ["Outcome", "describe", "train", "verify"]
