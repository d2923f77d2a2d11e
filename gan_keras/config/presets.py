"""Configurations by name: what each field is where it is not the field's own default."""

_POINTS = {
    "network": "points",
    "width": 128,
    "latent_dim": 2,
    "batch_size": 256,
    "learning_rate": 1e-3,
    "discriminator_learning_rate": 2e-3,
    "log_every": 100,
    "sample_every": 100,
    "checkpoint_every": 1000,
}

# The model of the paper's MNIST experiment. It publishes no number of steps: 250 epochs is where
# its momentum has risen to the end.
_PAPER = {
    "dataset": "mnist",
    "held_out": 10_000,
    "network": "maxout",
    "width": 1200,
    "batch_size": 100,
    "steps": 125_000,
    "log_every": 500,
    "sample_every": 5000,
    "checkpoint_every": 5000,
}

# The game that comes to rest (Mescheder et al. 2018).
_AT_REST = {
    "network": "plain",
    "latent_dim": 64,
    "learning_rate": 3e-4,
    "beta_2": 0.99,
    "r1_weight": 1.0,
    "penalty_every": 8,
    "ema_decay": 0.999,
}

# 28x28: 6 to 13 minutes on two cores; more steps are better (docs/results.md). A weaker penalty:
# fewer doubtful pictures for a little less variety.
_TEN_MINUTES = {
    **_AT_REST,
    "r1_weight": 0.3,
    "batch_size": 64,
    "steps": 6_000,
    "learning_rate": 2e-3,
    "learning_rate_schedule": "cosine",
    "sample_every": 1000,
    "checkpoint_every": 1000,
}

# In colour, where class and colours are two things: outlines came through all of G's layers only
# where each of them reads latents and label (docs/results.md).
_COLOUR = {**_AT_REST, "network": "modulated", "channels": 3, "latent_dim": 128}

PRESETS = {
    # UCI's handwritten digits, embedded: a minute on two cores. They are 8x8; enlarged to
    # 16x16 they are easier to learn with convolutions, and to read.
    "digits": {
        "dataset": "digits",
        "image_size": 16,
        "width": 32,
        "latent_dim": 64,
        "batch_size": 64,
        "steps": 3000,
    },
    # Without labels, but for groups of images that look alike.
    "mnist": {"dataset": "mnist", **_TEN_MINUTES, "clusters": 100},
    # The networks and rates of Radford et al. 2015, for comparison.
    "dcgan2015": {"dataset": "mnist", "steps": 4000},
    # With labels, D penalised and unnormalised, and the average: the best picture for the minute.
    "digits_conditional": {
        "dataset": "digits",
        "image_size": 16,
        "width": 32,
        "conditional": True,
        **_AT_REST,
        "batch_size": 64,
        "steps": 4000,
        "learning_rate": 2e-3,
        "learning_rate_schedule": "cosine",
        "r1_weight": 0.1,
    },
    "mnist_conditional": {"dataset": "mnist", "conditional": True, **_TEN_MINUTES},
    "fashion_mnist": {"dataset": "fashion_mnist", "conditional": True, **_TEN_MINUTES},
    "cifar10": {
        "dataset": "cifar10",
        "conditional": True,
        "image_size": 32,
        **_COLOUR,
        "steps": 50_000,
        "learning_rate": 1e-3,
        "learning_rate_schedule": "cosine",
        "sample_every": 1000,
        "checkpoint_every": 1000,
    },
    # Three digits of MNIST as the channels of one picture: 1,000 modes (data/stacked.py). The loss
    # is that of R3GAN (Huang et al. 2024).
    "stacked_mnist": {
        "dataset": "stacked_mnist",
        "channels": 3,
        **_AT_REST,
        "latent_dim": 128,
        "generator_loss": "relativistic",
        "r2_weight": 1.0,
        "batch_size": 64,
        "steps": 8000,
        "learning_rate": 5e-4,
        "learning_rate_schedule": "cosine",
        "log_every": 100,
        "sample_every": 1000,
        "checkpoint_every": 1000,
    },
    "mlp": {
        "dataset": "mnist",
        "network": "mlp",
        "width": 256,
        "steps": 20000,
        "log_every": 100,
        "sample_every": 1000,
        "checkpoint_every": 2000,
    },
    # Known densities, to see the theory at work. On a line D stays near D* while G moves: it has
    # four updates to G's one, at fifty times the rate.
    "gaussians_1d": {
        "dataset": "gaussians_1d",
        **_POINTS,
        "latent_dim": 1,
        "steps": 4000,
        "learning_rate": 2e-5,
        "discriminator_learning_rate": 1e-3,
        "discriminator_steps": 4,
        "log_every": 40,
        "sample_every": 40,
        # Numbers of 8 bits would leave steps in G(z) that curves show.
        "mixed_precision": "float32",
    },
    # In the plane the rate of D is twice that of G; both fall, so that the players come to rest.
    "ring": {
        "dataset": "ring",
        **_POINTS,
        "steps": 10_000,
        "learning_rate_decay": 1.0003,
    },
    "grid": {
        "dataset": "grid",
        **_POINTS,
        "steps": 50_000,
        "learning_rate_decay": 1.00006,
        # Without it G never finds two or three of the 25.
        "instance_noise": 0.5,
        "instance_noise_steps": 20_000,
        "ema_decay": 0.999,
        "sample_every": 500,
        "checkpoint_every": 5000,
    },
    "goodfellow2014": {
        **_PAPER,
        "prior": "uniform",
        "optimizer": "momentum",
        "learning_rate": 0.1,
        "learning_rate_decay": 1.000004,
        # The authors' code takes half of the discriminator's loss, which is half the rate.
        "discriminator_learning_rate": 0.05,
    },
    # The same networks and data, with what ten years have taught: docs/results.md has both.
    "goodfellow2014_adam": {
        **_PAPER,
        "steps": 15_000,
        "learning_rate": 2e-3,
        "learning_rate_decay": 1.00005,
        "ema_decay": 0.9998,
        "sample_every": 1000,
    },
    # A person's own folder of pictures: --dataset=folder:/path. Conditional where they are in
    # sub-folders (config/folder_choice.py).
    "pictures": {
        "dataset": "",
        "image_size": 64,
        **_COLOUR,
        "r1_weight": 4.0,  # Of this size: folder_choice has the rule.
        "width": 32,
        "batch_size": 32,  # Of as many images, twice the steps: better than 64 (docs/results.md).
        "steps": 40_000,
        "learning_rate": 1e-3,
        "learning_rate_schedule": "cosine",
        "sample_every": 2000,
        "checkpoint_every": 2000,
    },
}
