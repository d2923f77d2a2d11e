"""The speed that no step can pass: a large matrix product of the same dtype, on the same cores.

Training steps are compared with it within the same rounds, since it drifts as they do.
"""

import numpy as np

from benchmarks import workload

SIDE = 2048  # Large enough that nothing but the product itself takes time.
FLOPS = 2 * SIDE**3


class Product:
    """The contestant: a step is a product of two square matrices, as so many images."""

    def __init__(self, images=None, dtype="float32", tf32=True, side=SIDE):
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(tf32)
        self.images_per_step = 2 * side**3 / workload.FLOPS_PER_IMAGE
        numbers = np.random.default_rng(0).standard_normal((2, side, side), np.float32)
        self.left, self.right = tf.cast(tf.constant(numbers), dtype)
        self.product = tf.function(tf.matmul)

    def run(self, clock):
        clock.time(self.multiply)

    def multiply(self):
        self.result = self.product(self.left, self.right)
        self.wait()  # A GPU would be handed minutes of products in a second.

    def wait(self):
        self.result[0, 0].numpy()
