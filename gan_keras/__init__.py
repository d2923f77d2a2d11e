"""Train, watch, export and serve generative adversarial networks with Keras."""

__version__ = "0.1.0"
