"""What a run is: one frozen dataclass, made from a preset, and its JSON file.

The fields make the command line's flags; name, default and help stand here only.
"""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from gan_keras import files
from gan_keras.config import best_score, checks
from gan_keras.config import file as config_file
from gan_keras.config.checks import AUGMENTATIONS, DENSITIES
from gan_keras.config.presets import PRESETS
from gan_keras.errors import UsageError, UserError

CONFIG_FILE = "config.json"
SCORES_FOLDER = "scores"  # In a run's folder: what gan-keras-evaluate found.

# A resumed run may change how long it trains, where its data are, how often it reports, what it
# keeps, and by what the same numbers are computed; all else would make it another run.
MAY_CHANGE = (
    "steps",
    "data_dir",
    "tf32",
    "jit_compile",
    "deterministic",
    "cross_device_ops",
    "virtual_devices",
    "cluster_timeout",
    "log_every",
    "sample_every",
    "checkpoint_every",
    "evaluate_every",
    "keep_best",
    "keep_checkpoints",
    "on_collapse",
)

NETWORKS = ("dcgan", "plain", "modulated", "residual", "mlp", "maxout", "points")
PRIORS = ("normal", "uniform")
GENERATOR_LOSSES = ("non_saturating", "minimax", "relativistic")
OPTIMIZERS = ("adam", "momentum")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
JIT_COMPILE = ("auto", "true", "false")
COLLAPSE_ACTIONS = ("warn", "stop")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")
CROSS_DEVICE_OPS = ("auto", "nccl", "ring", "hierarchical_copy", "reduction_to_one")

# Times the largest gradient that passes for finite, 1.8e19 (`health`), and summed up over 10^10
# steps, it is still a number of float32: no update makes a weight infinite.
MOST_LEARNING_RATE = 1e6


def _flag(default, help, *, choices=None, least=None, most=None, above=None, below=None):
    """A field with its flag's help and the values it may take (bounds as in their names)."""
    limits = {"choices": choices, "least": least, "most": most, "above": above, "below": below}
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class Config:
    """Everything that decides what a training run computes, and when it reports.

    Raises:
        UsageError: a field has a value outside its range; the message names both.
    """

    preset: str = _flag("digits", "Preset that the other fields default to.")
    dataset: str = _flag(
        "digits",
        "`digits` (embedded), stacked_mnist, the name of a TFDS image data set, `folder:/path`, or "
        f"a known density: {', '.join(DENSITIES)}.",
    )
    data_dir: str = _flag("", "Folder of prepared TFDS data sets; else $TFDS_DATA_DIR.")
    held_out: int = _flag(
        0,
        "Number of images kept out of training: the last ones of the training split, or, of "
        "sub-folders that are classes, evenly spread ones.",
        least=0,
    )
    image_size: int = _flag(28, "Height and width of the images, in pixels.", least=1, most=2**12)
    channels: int = _flag(1, "1 for grey images, 3 for colour.", choices=(1, 3))
    network: str = _flag("dcgan", "Architecture of generator and discriminator.", choices=NETWORKS)
    width: int = _flag(
        64,
        "dcgan, plain and modulated: filters next to the image; residual: filters at the image's "
        "size (16 suits two cores, 64 a GPU); mlp: units of the generator's first layer; "
        "maxout: units of the generator's layers (the discriminator has a fifth as many); "
        "points: units of all layers.",
        least=1,
        most=2**16,
    )
    conditional: bool = _flag(
        False, "Whether both networks see each image's class; clients can then request a class."
    )
    clusters: int = _flag(
        0,
        "Number of groups of similar images, found by k-means. Both networks see each image's "
        "group in place of a class, without labels. 0: none.",
        least=0,
        most=10_000,
    )
    latent_dim: int = _flag(100, "Length of a latent vector z.", least=1, most=2**16)
    prior: str = _flag("normal", "Distribution of z: N(0, 1), or U[-1, 1].", choices=PRIORS)
    flip: bool = _flag(False, "Whether each image is also mirrored, left to right: twice the data.")
    batch_size: int = _flag(128, "Real images per update, over all devices.", least=2, most=2**20)
    steps: int = _flag(2000, "Total training steps, including those before a resume.", least=1)
    seed: int = _flag(
        0, "Seed of weights, noise and the order of the data.", least=0, most=2**31 - 1
    )
    discriminator_steps: int = _flag(1, "Discriminator updates per step: Algorithm 1's k.", least=1)
    generator_loss: str = _flag(
        "non_saturating",
        "non_saturating: -log D(G(z)); minimax: log(1 - D(G(z))), which saturates; relativistic: "
        "both networks compare a real and a generated image, and D's loss is "
        "-log sigmoid(l(x) - l(G(z))) of its logits l.",
        choices=GENERATOR_LOSSES,
    )
    # Sønderby et al. 2017.
    instance_noise: float = _flag(
        0.0,
        "Standard deviation, at the start, of Gaussian noise on all that D sees.",
        least=0.0,
        most=1e3,
    )
    instance_noise_steps: int = _flag(
        1, "Steps over which that noise falls linearly to 0.", least=1
    )
    # Zhao et al. 2020; Karras et al. 2020, who keep it at 0.6.
    augment: str = _flag(
        "",
        "Changes to all images that D sees, real and generated, for small data sets: some of "
        f"{','.join(AUGMENTATIONS)}, with commas between.",
    )
    augment_target: float = _flag(
        0.0,
        "0: always augment. Above 0 (0.6 is usual): augment with a probability from 0 to 0.8, "
        "which rises while the mean sign of D's logits of real images is above this, and else "
        "falls.",
        least=0.0,
        below=1.0,
    )
    ema_decay: float = _flag(
        0.0,
        "Decay per step of an exponential moving average of the generator's weights. The average "
        "then makes the samples. 0: none.",
        least=0.0,
        below=1.0,
    )
    ema_half_life: float = _flag(
        0.0,
        "The same, as the number of images after which weights count half, whatever the batch. "
        "0: none. Either average is over the last quarter of all steps at first.",
        least=0.0,
        most=1e12,
    )
    r1_weight: float = _flag(
        0.0,
        "Weight, in D's loss, of half the squared gradient of D's logit at real images.",
        least=0.0,
        most=1e6,
    )
    r2_weight: float = _flag(0.0, "The same at generated images.", least=0.0, most=1e6)
    penalty_every: int = _flag(
        1, "Steps from one penalty to the next; each is multiplied by it.", least=1, most=10_000
    )
    mixed_precision: str = _flag(
        "auto",
        "What the layers compute in; weights, losses and pixels are always float32. auto: bfloat16 "
        "for dcgan on devices that are made for it, else float32. float16 is for GPUs.",
        choices=PRECISIONS,
    )
    tf32: bool = _flag(
        True, "Whether GPUs multiply float32 in TF32, with 10 bits of mantissa instead of 23."
    )
    jit_compile: str = _flag(
        "auto",
        "Whether XLA compiles the training step. auto: if one GPU trains, without --deterministic.",
        choices=JIT_COMPILE,
    )
    deterministic: bool = _flag(
        False, "Whether to use deterministic operators only, so that a GPU repeats its numbers."
    )
    optimizer: str = _flag("adam", "Optimizer of both networks.", choices=OPTIMIZERS)
    # The learning rate and beta_1 of Radford et al. 2015.
    learning_rate: float = _flag(2e-4, "Learning rate.", above=0.0, most=MOST_LEARNING_RATE)
    discriminator_learning_rate: float = _flag(
        0.0,
        "Learning rate of the discriminator; 0: that of the generator.",
        least=0.0,
        most=MOST_LEARNING_RATE,
    )
    learning_rate_decay: float = _flag(
        1.0, "What the learning rate is divided by after every step.", least=1.0
    )
    learning_rate_schedule: str = _flag(
        "constant",
        "cosine: the learning rates fall to 0 along half a cosine, until the last step.",
        choices=SCHEDULES,
    )
    beta_1: float = _flag(0.5, "adam: decay of the first moment.", least=0.0, below=1.0)
    beta_2: float = _flag(0.999, "adam: decay of the second moment.", least=0.0, below=1.0)
    # Goodfellow et al. 2014: 250 epochs of 500 steps.
    momentum: float = _flag(0.5, "momentum: the coefficient at the start.", least=0.0, below=1.0)
    final_momentum: float = _flag(
        0.7, "momentum: the coefficient at the end.", least=0.0, below=1.0
    )
    momentum_steps: int = _flag(
        125_000, "momentum: steps over which the coefficient rises linearly.", least=1
    )
    strategy: str = _flag(
        "auto", "How to use the devices, as in tf.distribute.", choices=STRATEGIES
    )
    cross_device_ops: str = _flag(
        "auto",
        "How devices add up their gradients. mirrored: nccl, hierarchical_copy or "
        "reduction_to_one; multi_worker: nccl or ring; auto: nccl on GPUs, ring on CPUs.",
        choices=CROSS_DEVICE_OPS,
    )
    virtual_devices: int = _flag(
        0, "Devices to split the CPU into if there is no GPU; 0: one.", least=0, most=64
    )
    cluster_timeout: int = _flag(
        300, "Seconds within which all workers of a cluster must answer at the start.", least=1
    )
    log_every: int = _flag(50, "Steps between scalars in TensorBoard.", least=1)
    sample_every: int = _flag(500, "Steps between sample grids.", least=1)
    checkpoint_every: int = _flag(500, "Steps between checkpoints.", least=1)
    evaluate_every: int = _flag(0, "Steps between evaluations; 0: no scores in training.", least=0)
    keep_best: str = _flag(
        "",
        "Score, such as frechet_distance, whose best checkpoint is kept beside the newest ones.",
    )
    on_collapse: str = _flag(
        "warn",
        "What to do when samples are near-duplicates, D(G(z)) stays at 0 or 1, or the generator "
        "gets no gradient: warn, or stop, which saves and ends with exit status 1.",
        choices=COLLAPSE_ACTIONS,
    )
    keep_checkpoints: int = _flag(3, "Number of newest checkpoints to keep.", least=1)

    def __post_init__(self):
        for item in dataclasses.fields(self):
            checks.value(item, getattr(self, item.name))
        if self.preset not in PRESETS:
            raise UsageError(f"--preset={self.preset}: unknown; choose from {', '.join(PRESETS)}")
        if not self.dataset:
            raise UsageError("--dataset: empty; name your pictures, as in --dataset=folder:/path")
        of_points = self.dataset in DENSITIES
        best_score.check(self.keep_best, self.evaluate_every, self.dataset, of_points)
        checks.together(self)

    @property
    def augmentations(self):
        """The kinds of augmentation, as a tuple of names."""
        return tuple(filter(None, self.augment.split(",")))

    @property
    def labelled(self):
        """Whether the networks take labels: the data's classes, or clusters."""
        return self.conditional or self.clusters > 0

    @property
    def shape(self):
        """Shape of one example: (height, width, channels) of an image, or (length,)."""
        if self.dataset in DENSITIES:
            return (DENSITIES[self.dataset],)
        return (self.image_size, self.image_size, self.channels)


def from_preset(preset, **overrides):
    """Returns the preset's Config with some fields replaced.

    Raises:
        UsageError: the preset is unknown, or a value is out of its range.
    """
    return Config(**{"preset": preset, **PRESETS.get(preset, {}), **overrides})


def to_json(config):
    """Returns the text of `config.json`: a field a line, in their order, and their digest."""
    return json.dumps(files.sealed(dataclasses.asdict(config)), indent=2) + "\n"


def save(config, workdir):
    """Writes `workdir/config.json` whole or not at all."""
    path = Path(workdir, CONFIG_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, to_json(config).encode())


def load(workdir):
    """Returns the Config of `workdir/config.json`.

    A run made before a field existed is the run with that field's default.

    Raises:
        UserError: there is none, or this version cannot read it.
    """
    path = Path(workdir, CONFIG_FILE)
    fields = config_file.read(path, {item.name for item in dataclasses.fields(Config)})
    try:
        return Config(**fields)
    except UsageError as error:
        raise UserError(f"{path}: {error}") from None


def defining(config):
    """Returns the fields that a run may not change when it is resumed, as a dict."""
    may_change = set(MAY_CHANGE)
    if config.learning_rate_schedule == "cosine":
        may_change.remove("steps")  # The rates of all steps depend on it.
    fields = dataclasses.asdict(config)
    return {name: value for name, value in fields.items() if name not in may_change}


def check_resumable(stored, wanted, workdir):
    """Refuses to resume in `workdir`, which holds a run of `stored`, with `wanted`.

    Raises:
        UsageError: a field differs of those that are `defining`.
    """
    changes = [
        f"{name} {value!r} -> {getattr(wanted, name)!r}"
        + (", by which the rates of its cosine fall" if name == "steps" else "")
        for name, value in defining(stored).items()
        if value != getattr(wanted, name)
    ]
    if changes:
        raise UsageError(
            f"--workdir={workdir}: holds a run of another configuration "
            f"({'; '.join(changes)}); give the old values, or another --workdir"
        )


def settle(config, workdir):
    """Returns the Config that a run in `workdir` has, or would have, and whether one is stored.

    What a run computes in was settled when it began: `auto` then means what is stored.

    Raises:
        UserError: there is a configuration that this version cannot read.
        UsageError: as `check_resumable`.
    """
    if not os.path.exists(Path(workdir, CONFIG_FILE)):
        return config, False
    stored = load(workdir)
    if config.mixed_precision == "auto":
        config = dataclasses.replace(config, mixed_precision=stored.mixed_precision)
    check_resumable(stored, config, workdir)
    return config, True


def differences(config):
    """Returns the fields that differ from their defaults, as a dict from name to value."""
    return {
        item.name: getattr(config, item.name)
        for item in dataclasses.fields(config)
        if getattr(config, item.name) != item.default
    }
