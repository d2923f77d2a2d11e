"""Every form of the game on two devices: the weights are those of one, up to rounding.

With plain gradient descent, which amplifies no rounding; in a process of its own, since devices
are set up once.
"""

import json

import pytest

SCRIPT = """
import json, sys
import keras, numpy as np, tensorflow as tf
from gan_keras import networks
from gan_keras.data.pipeline import untuned
from gan_keras.game import ConditionalGAN

tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
random = np.random.default_rng(0)
real = random.uniform(-1, 1, (24, 8, 8, 3)).astype("float32")
labels = random.integers(0, 3, 24)

def trained(network, precision, devices, width=8, **arguments):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(devices)])
    with strategy.scope():
        shape = {"shape": (8, 8, 3), "latent_dim": 4, "width": width, "classes": 3}
        pair = networks.build(network, seed=0, precision=precision, **shape)
        gan = ConditionalGAN(*pair, seed=5, **arguments)
        gan.compile(keras.optimizers.SGD(0.02), keras.optimizers.SGD(0.02))
    before = [w.numpy() for w in gan.weights]
    data = untuned(tf.data.Dataset.from_tensor_slices((real, labels)).repeat().batch(8))
    gan.fit(data, steps_per_epoch=3, verbose=0, shuffle=False)
    after = [w.numpy() for w in gan.weights]
    floats = [i for i, w in enumerate(after) if w.dtype == "float32"]
    return (np.concatenate([np.ravel(each[i]) for i in floats]) for each in (before, after))

found = {}
for name, (network, precision, arguments) in json.loads(sys.argv[1]).items():
    before, one = trained(network, precision, 1, **arguments)
    _, two = trained(network, precision, 2, **arguments)
    found[name] = [np.abs(one - two).max().item(), np.abs(one - before).max().item()]
print(json.dumps(found))
"""

PENALISED = {"r1_weight": 0.5, "r2_weight": 0.25, "penalty_every": 2, "ema_decay": 0.9}
ADAPTIVE = {"augment": ["color", "translation", "cutout"], "augment_target": 0.6}
FORMS = {
    "pairs": ("modulated", "float32", {"generator_loss": "relativistic", **PENALISED}),
    "adaptive pairs": (
        "mlp",
        "float32",
        {"generator_loss": "relativistic", "instance_noise": 0.1, **ADAPTIVE},
    ),
    "residual": ("residual", "float32", PENALISED),
    # Dropout masks belong to the rows of the global batch, not to the devices.
    "dropout": ("maxout", "float32", {"width": 160}),
}


SLOW = ("residual", "adaptive pairs")  # Much to trace, for each device.


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.faults] * (name in SLOW)) for name in FORMS]
)
def test_two_devices_do_what_one_does(name, forks):
    # A process for each: what two strategies of one process reduce may meet under one number.
    printed = forks.script(SCRIPT, json.dumps({name: FORMS[name]}))
    gap, moved = json.loads(printed)[name]
    assert moved > 1e-3
    assert gap < 1e-6
