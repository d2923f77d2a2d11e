"""The speed that no step can pass: a large matrix product of the same dtype, on the same cores.

`python -m benchmarks.bound` prints it. Training steps are measured against it within the same
rounds, since it drifts as they do.
"""

import numpy as np

from benchmarks import work

SIDE = 2048  # Large enough that nothing but the product itself takes time.
DTYPES = ("float32", "bfloat16")
FLOPS = 2 * SIDE**3


class Product:
    """The contestant: one step is one product of two square matrices in TensorFlow.

    Args:
        network: The network whose images the operations are converted to.
        images: Not used.
        dtype: `float32` or `bfloat16`.
    """

    def __init__(self, network, images=None, dtype="float32"):
        import tensorflow as tf

        self.images_per_step = FLOPS / work.flops_per_image(network)
        numbers = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), np.float32)
        self.left, self.right = tf.cast(tf.constant(numbers), dtype)
        self.product = tf.function(tf.matmul)
        self.result = None

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


def main():
    from benchmarks.clock import Clock
    from gan_keras.cli import flags

    flags.import_tensorflow()
    for dtype in DTYPES:
        product = Product("dcgan", dtype=dtype)
        clock = Clock(1.0, 3.0, product.wait)
        product.run(clock)
        rate = clock.steps / clock.elapsed
        print(f"{dtype}: {rate * FLOPS / 1e9:,.0f} GFLOP/s", end="")
        for network in work.NETWORKS:
            images = rate * FLOPS / work.flops_per_image(network)
            print(f", {images:,.0f} images/s of {network}", end="")
        print()


if __name__ == "__main__":
    main()
