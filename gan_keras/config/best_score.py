"""By which scores a run may keep its best checkpoint: the names that `--keep_best` takes."""

from gan_keras.errors import UsageError

STACKED = "stacked_mnist"  # The data set of images whose modes are known.
OF_IMAGES = (
    "frechet_distance",
    "kernel_distance",
    "precision",
    "recall",
    "density",
    "coverage",
    "parzen",
)
OF_STACKED = (*OF_IMAGES, "modes_covered", "mode_kl")
OF_POINTS = ("jsd", "modes_covered", "high_quality")
# Names of the literature, and short ones.
ALIASES = {"frechet": "frechet_distance", "fid": "frechet_distance", "kid": "kernel_distance"}


def full_name(word):
    """Returns the name of a score, of which `word` may be an alias."""
    word = word.strip()
    return ALIASES.get(word.lower(), word)


def check(keep_best, evaluate_every, dataset, of_points):
    """Refuses a score that the run will not have.

    Args:
        keep_best: A score's name; empty: nothing is kept.
        evaluate_every: Steps between evaluations.
        dataset: Name of the data set.
        of_points: Whether it is a known density.

    Raises:
        UsageError: the data do not have the score, or nothing is evaluated.
    """
    if not keep_best:
        return
    of_images = OF_STACKED if dataset == STACKED else OF_IMAGES
    known = OF_POINTS if of_points else of_images
    if full_name(keep_best) not in known:
        raise UsageError(f"--keep_best={keep_best}: choose from {', '.join(known)}")
    if not evaluate_every:
        raise UsageError(
            f"--keep_best={keep_best}: nothing is evaluated; add --evaluate_every=1000, or another "
            "number of steps"
        )
