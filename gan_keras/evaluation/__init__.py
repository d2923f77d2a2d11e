"""From a run to score cards: judge, features, and the scores of images and of points.

TensorFlow is imported with the functions; `score_cards` needs none. `image_scores.ImageScores`
and `point_scores.PointScores` have the same parts:

    METRICS             metric: (the function that finds it, its unit, what is better)
    compute(f, x)       metric: (Interval, its method, details), for samples x by function f
    protocol(m, n)      what has to be equal where two scores m of n samples are compared
    samples(x)          a generator's outputs as what is scored
    references()        subject: function that makes its samples
"""

from typing import TYPE_CHECKING

from gan_keras import lazy

if TYPE_CHECKING:
    from gan_keras.evaluation.judge import Judge as Judge
    from gan_keras.evaluation.judge import evaluate as evaluate
    from gan_keras.evaluation.judge import judge_while_training as judge_while_training

__all__ = ["Judge", "evaluate", "judge_while_training"]

__getattr__ = lazy(__name__, {name: "gan_keras.evaluation.judge" for name in __all__})
