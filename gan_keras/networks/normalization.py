"""Batch normalisation by TensorFlow's fused operator.

Reference: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
"""

import keras
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.config import is_op_determinism_enabled


@keras.saving.register_keras_serializable(package="gan_keras")
class FusedBatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` by one operator: the same arguments, weights and results.

    Keras' layer takes moments and normalises in many operators, each of which reads a whole
    batch, and as float32 even where it is bfloat16. The fused operator computes in float32 too,
    but reads and writes what there is. Results are the same up to rounding, and a
    `tf.train.Checkpoint` of a network with one layer restores into a network with the other.

    What the operator cannot do is left to Keras: float64, ranks other than 2 and 4, axes other
    than the last, masks, renormalisation, no gamma or no beta; training that is `synchronized`
    over several replicas, where the statistics are the global batch's; and inference where
    operators have to be deterministic.
    """

    def call(self, inputs, training=None, mask=None):
        training = bool(training and self.trainable)
        if mask is not None or not self._is_fusable(inputs, training):
            return super().call(inputs, training=training, mask=mask)
        is_flat = inputs.shape.rank == 2
        outputs, mean, unbiased_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs[:, tf.newaxis, tf.newaxis, :] if is_flat else inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[] if training else self.moving_mean,
            variance=[] if training else self.moving_variance,
            # As it is: `tf.compat.v1.nn.fused_batch_norm` would raise it to 1.001e-5, for cuDNN
            # before 8, which TensorFlow no longer runs on.
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            n = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
            # Keras keeps the variance that normalises the batch, which is the biased one.
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, unbiased_variance * ((n - 1) / n))
        return tf.squeeze(outputs, [1, 2]) if is_flat else outputs

    def _is_fusable(self, inputs, training):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return (
            inputs.dtype in (tf.float32, tf.bfloat16, tf.float16)
            and inputs.shape.rank in (2, 4)
            and self.axis in (-1, inputs.shape.rank - 1)
            and self.scale
            and self.center
            and not getattr(self, "renorm", False)  # Older versions of Keras have none.
            and not (training and self.synchronized and replicas > 1)
            # The gradient of normalising by averages has no deterministic form on GPUs.
            and (training or not is_op_determinism_enabled())
        )

    def _move(self, average, value):
        average.assign(average * self.momentum + value * (1 - self.momentum))
