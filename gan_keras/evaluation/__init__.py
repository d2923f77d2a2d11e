"""From a run to score cards: judge, features, and the scores of images and of points.

TensorFlow is imported with the functions; `score_cards` needs none. `image_scores.ImageScores`,
`labelled_scores.LabelledScores`, `stacked_scores.StackedScores` and `point_scores.PointScores` have
the same parts:

    METRICS             metric: (the function that finds it, its unit, what is better)
    compute(f, x, y)    metric: (Interval, its method, details), for samples x by function f;
                        y are the classes that were asked for, or None
    protocol(m, n)      what has to be equal where two scores m of n samples are compared
    samples(x)          a generator's outputs as what is scored
    references()        subject: function that makes its samples and their classes, or None
"""

from typing import TYPE_CHECKING

from gan_keras import lazy

if TYPE_CHECKING:
    from gan_keras.evaluation.classifier_files import extractor_for as extractor_for
    from gan_keras.evaluation.judge import Judge as Judge
    from gan_keras.evaluation.judge import evaluate as evaluate
    from gan_keras.evaluation.judge import judge_while_training as judge_while_training
    from gan_keras.evaluation.nearest import neighbours as neighbours
    from gan_keras.evaluation.point_scores import edges as edges
    from gan_keras.evaluation.point_scores import jsd as jsd

_HOMES = {
    "Judge": "gan_keras.evaluation.judge",
    "edges": "gan_keras.evaluation.point_scores",
    "evaluate": "gan_keras.evaluation.judge",
    "extractor_for": "gan_keras.evaluation.classifier_files",
    "jsd": "gan_keras.evaluation.point_scores",
    "judge_while_training": "gan_keras.evaluation.judge",
    "neighbours": "gan_keras.evaluation.nearest",
}

__all__ = [
    "Judge",
    "edges",
    "evaluate",
    "extractor_for",
    "jsd",
    "judge_while_training",
    "neighbours",
]

__getattr__ = lazy(__name__, _HOMES)
