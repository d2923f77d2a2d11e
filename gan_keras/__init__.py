"""Train, watch, export and serve generative adversarial networks with Keras.

    import gan_keras

    config = gan_keras.Config(image_size=16, steps=300)
    gan_keras.train(config, "runs/digits")
    gan_keras.export("runs/digits", "exports/digits")
    pictures = gan_keras.load("exports/digits").sample(count=64, seed=0)

Names are imported when they are first used: `import gan_keras` loads no TensorFlow.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_keras import networks as networks
    from gan_keras.client import Client as Client
    from gan_keras.config import Config as Config
    from gan_keras.evaluation import evaluate as evaluate
    from gan_keras.exporting import export as export
    from gan_keras.exporting import load as load
    from gan_keras.game import GAN as GAN
    from gan_keras.game import losses as losses
    from gan_keras.training import train as train

__version__ = "0.2.0"

__all__ = [
    "GAN",
    "Client",
    "Config",
    "evaluate",
    "export",
    "load",
    "losses",
    "networks",
    "train",
]


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Returns the `__getattr__` (PEP 562) of a package that imports its names on first use.

    Args:
        package: Name of the package.
        homes: Dict from each public name to the module that has it, or that it is.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(homes[name])
        return module if module.__name__ == f"{package}.{name}" else getattr(module, name)

    return get


_HOMES = {
    "GAN": "gan_keras.game",
    "Client": "gan_keras.client",
    "Config": "gan_keras.config",
    "evaluate": "gan_keras.evaluation",
    "export": "gan_keras.exporting",
    "load": "gan_keras.exporting",
    "losses": "gan_keras.game",
    "networks": "gan_keras.networks",
    "train": "gan_keras.training",
}
_get = lazy(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name == "GAN":
        # A .keras file of a GAN has layers of `networks`, which Keras finds only once they are
        # imported; `game` itself knows no networks.
        importlib.import_module("gan_keras.networks")
    return _get(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
