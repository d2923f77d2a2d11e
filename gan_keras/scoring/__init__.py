"""Which scores a kind of data has, by which protocol, and what computes each.

`ImageScores` and `PointScores` have the same parts:

    METRICS             metric: (the function that finds it, its unit, what is better)
    compute(f, x)       metric: (Interval, its method, details), for samples x by function f
    protocol(m, n)      what has to be equal where two scores m of n samples are compared
    samples(x)          a generator's outputs as what is scored
    floors()            subject: function that makes its samples
"""

from gan_keras.scoring.images import ImageScores
from gan_keras.scoring.points import PointScores

__all__ = ["ImageScores", "PointScores"]
