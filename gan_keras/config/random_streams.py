"""Every stream of random numbers: its number, and who draws it.

No two streams share a random number, whatever the seeds: `tests/config/test_random_streams.py`
compares the ranges below with each other and with what the code draws. Who needs random numbers
of a new kind adds a stream here. Those of training, of the sample grid and of the order of the
data never change: a run that is resumed by a later version then stays the same run.

There are three kinds of generator, each with a table of its own. TensorFlow makes the bits of
the first two with Philox; the first hashes its pair into a key and a counter of 64 random bits
each, so that the two kinds have bits in common with a probability of about 2^-64 per draw.
"""

SEEDS = range(2**31)  # Of a run, of an evaluation: the bounds of every `--seed` but one.
SERVED_SEEDS = range(-(2**63), 2**63)  # The seeds of the served signatures and `gan-keras-sample`.
DRAWS = range(2**62)  # Steps (below 2^31) times the discriminator's updates per step (the same).

# 1. Pairs (first, second), as `tf.random.stateless_*` take them.
#
# Streams told apart by the first half, which is this number + seed; the second half is the draw.
LATENTS = 0  # `GAN`: latents of training. Draw = step * discriminator_steps + update, as below.
REAL_NOISE = 2**32  # `GAN`: instance noise on real examples.
FAKE_NOISE = 2**33  # `GAN`: instance noise on generated examples that D learns from.
ANSWER_NOISE = 2**34  # `GAN`: instance noise on generated examples whose answers G learns from.
LABELS = 2**35  # `evaluation`: classes of samples that are scored. Draw EVALUATION.
DROPOUT = 2**36  # `RowDropout`, a stream of 2^32 seeds for each of up to 16 layers.
REAL_AUGMENTATION = 2**37  # `GAN`: augmentation of real examples.
FAKE_AUGMENTATION = 2**38  # `GAN`: of generated examples that D learns from.
ANSWER_AUGMENTATION = 2**39  # `GAN`: of generated examples whose answers G learns from.
DENSITY = 2**40  # `data.Points`: examples of training.
DENSITY_SAMPLE = 2**41  # `data.Points`: examples that no training step sees. Draw 0.
# Streams told apart by the second half, which is this number; the first half is the seed.
GRID = -1  # The sample grid; the watch for collapse and the live view look at the same latents.
EVALUATION = -2  # Latents of samples that are scored.
SERVED = -3  # Latents of an exported or loaded generator's samples.
SERVED_CLASS = -4  # Their classes, where the request names none.
# The same, but the second half counts down from this number, by one for each tensor.
GENERATOR_WEIGHTS = -(2**20)
DISCRIMINATOR_WEIGHTS = -(2**21)
CLASSIFIER_WEIGHTS = -(2**22)
PROJECTION_WEIGHTS = -(2**23)
MOST_TENSORS = 2**20
DROPOUT_LAYERS = 16


def _seeds(stream):
    return range(stream + SEEDS.start, stream + SEEDS.stop)


def _one(number):
    return range(number, number + 1)


def _down(number):
    return range(number - MOST_TENSORS + 1, number + 1)


# What each stream draws: the range of the first half, and that of the second.
# `data.Points` splits its pair in two by hashing it: those pairs have 128 random bits.
PAIRS = {
    "LATENTS": (_seeds(LATENTS), DRAWS),
    "REAL_NOISE": (_seeds(REAL_NOISE), DRAWS),
    "FAKE_NOISE": (_seeds(FAKE_NOISE), DRAWS),
    "ANSWER_NOISE": (_seeds(ANSWER_NOISE), DRAWS),
    "LABELS": (_seeds(LABELS), _one(EVALUATION)),
    "DROPOUT": (range(DROPOUT, DROPOUT + DROPOUT_LAYERS * 2**32), DRAWS),
    "REAL_AUGMENTATION": (_seeds(REAL_AUGMENTATION), DRAWS),
    "FAKE_AUGMENTATION": (_seeds(FAKE_AUGMENTATION), DRAWS),
    "ANSWER_AUGMENTATION": (_seeds(ANSWER_AUGMENTATION), DRAWS),
    # Up to the seed of `EXAMPLES`, below.
    "DENSITY": (range(DENSITY, DENSITY + 2**36), DRAWS),
    "DENSITY_SAMPLE": (_seeds(DENSITY_SAMPLE), _one(0)),
    "GRID": (SEEDS, _one(GRID)),
    "EVALUATION": (SEEDS, _one(EVALUATION)),
    "SERVED": (SERVED_SEEDS, _one(SERVED)),
    "SERVED_CLASS": (SERVED_SEEDS, _one(SERVED_CLASS)),
    "GENERATOR_WEIGHTS": (SEEDS, _down(GENERATOR_WEIGHTS)),
    "DISCRIMINATOR_WEIGHTS": (SEEDS, _down(DISCRIMINATOR_WEIGHTS)),
    "CLASSIFIER_WEIGHTS": (SEEDS, _down(CLASSIFIER_WEIGHTS)),
    "PROJECTION_WEIGHTS": (SEEDS, _down(PROJECTION_WEIGHTS)),
}


def dropout(seed, layer):
    """Returns the first half of a dropout layer's pairs, an integer.

    Args:
        seed: Of the run, in `SEEDS`.
        layer: Number of the layer in its network, 0 to 15.
    """
    return DROPOUT + 2**32 * layer + seed


# 2. Keys of `data.order`: Philox in counter mode. The key is this number + seed, the counter the
# epoch.
ORDER = 0  # `training`: the order of the data.
CLASSIFIER_ORDER = 2**32  # `evaluation.classifier_training`: the order in which it learns.
CHOICE = 2**33  # `Images.sample`: real images that are scored.
PICTURE = 2**34  # `Images.first`: real images for a picture. Seed 0.
EXAMPLES = 2**35  # `training`: real examples that tell the watch for collapse what is near. Seed 0.

KEYS = {
    "ORDER": _seeds(ORDER),
    "CLASSIFIER_ORDER": _seeds(CLASSIFIER_ORDER),
    "CHOICE": _seeds(CHOICE),
    "PICTURE": _one(PICTURE),
    "EXAMPLES": _one(EXAMPLES),
}

# 3. numpy's generators: `np.random.default_rng([stream, seed])`, with a seed in `SEEDS`. Each of
# the two is one word of 32 bits of numpy's entropy.
BOOTSTRAP = 1  # `metrics.bootstrap`: which rows a replicate has.
BLOCKS = 2  # `metrics.kid`: which rows a block has.
NOISE_IMAGES = 3  # `evaluation`: uniform noise, scored for comparison.
CLASSIFIER_SPLIT = 4  # `evaluation.classifier_training`: which images it is tested on.
STACKS = 5  # `data.stacked`: which digits a picture is made of. Seed 0; of its test split, 1.

GENERATORS = {
    "BOOTSTRAP": BOOTSTRAP,
    "BLOCKS": BLOCKS,
    "NOISE_IMAGES": NOISE_IMAGES,
    "CLASSIFIER_SPLIT": CLASSIFIER_SPLIT,
    "STACKS": STACKS,
}
