"""The speed that no step can pass: a large matrix product of the same dtype, on the same cores.

Training steps are compared with it within the same rounds, since it drifts as they do.
"""

import numpy as np

from benchmarks import workload

SIDE = 2048  # Large enough that nothing but the product itself takes time.
DTYPES = ("float32", "bfloat16")
FLOPS = 2 * SIDE**3


class Product:
    """The contestant: one step is one product of two square matrices in TensorFlow.

    Its operations are converted to images of the network.
    """

    def __init__(self, network, images=None, dtype="float32"):
        import tensorflow as tf

        self.images_per_step = FLOPS / workload.flops_per_image(network)
        numbers = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), np.float32)
        self.left, self.right = tf.cast(tf.constant(numbers), dtype)
        self.product = tf.function(tf.matmul)

    def run(self, clock):
        while True:
            self.result = self.product(self.left, self.right)
            if not clock.tick():
                return

    def wait(self):
        self.result[0, 0].numpy()

    def weights(self):
        return {}


build = Product
