"""The optimizers of both players, and how their rates change from step to step."""

import math

import keras
import tensorflow as tf

LEAST_LEARNING_RATE = 1e-6  # Goodfellow et al. 2014, the authors' configuration for MNIST.


def build(
    name: str,
    *,
    learning_rate: float,
    learning_rate_decay: float,
    beta_1: float,
    beta_2: float = 0.999,
    cosine_steps: int = 0,
    momentum: float,
    final_momentum: float,
    ramp: int,
    scale_loss: bool = False,
) -> keras.optimizers.Optimizer:
    """Builds an optimizer.

    Args:
        name: `adam` or `momentum`.
        learning_rate: Rate of the first step.
        learning_rate_decay: What the rate is divided by after every step; 1 keeps it.
        beta_1, beta_2: Of Adam.
        cosine_steps: Updates over which the rate falls to 0 by half a cosine; 0: it does not.
        momentum: Of the first step.
        final_momentum: Of the steps from `ramp` on.
        ramp: Steps in which the momentum goes from the one to the other.
        scale_loss: Whether to scale the loss up, as far as it goes, and gradients down, so that
            float16 holds them; a step whose gradients are not finite is left out.

    Returns:
        A `keras.optimizers.Optimizer`.
    """
    rate = learning_rate
    if learning_rate_decay > 1:
        rate = ExponentialDecay(learning_rate, learning_rate_decay)
    if cosine_steps:
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, cosine_steps)
    if name == "adam":
        optimizer = FusedAdam(rate, beta_1, beta_2)
    else:
        optimizer = Momentum(rate, momentum, final_momentum, ramp)
    return keras.optimizers.LossScaleOptimizer(optimizer) if scale_loss else optimizer


@keras.saving.register_keras_serializable(package="gan_keras")
class ExponentialDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that is divided after every step: max(initial / divisor^step, 1e-6).

    Reference: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661
    """

    def __init__(self, initial, divisor):
        super().__init__()
        self.initial = initial
        self.divisor = divisor

    def __call__(self, step):
        # By the logarithm: 1.000004 itself is not a number of float32.
        exponent = -math.log(self.divisor) * tf.cast(step, tf.float32)
        return tf.maximum(self.initial * tf.exp(exponent), LEAST_LEARNING_RATE)

    def get_config(self):
        return {"initial": self.initial, "divisor": self.divisor}


@keras.saving.register_keras_serializable(package="gan_keras")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam by one operator per weight: the same arguments, state and results.

    Reference: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.amsgrad:
            raise ValueError("amsgrad=True: the fused operator has none; use keras.optimizers.Adam")

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        # One pass over the weights instead of a dozen.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[i].value.handle,
            v=self._velocities[i].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package="gan_keras")
class Momentum(keras.optimizers.SGD):
    """Gradient descent whose momentum rises from step to step.

    v <- m(step) v - rate * gradient; w <- w + v, with m going in a line from `initial` at step 0
    to `final` at step `ramp`, where it stays.

    Reference: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661
    """

    def __init__(self, learning_rate, initial=0.5, final=0.7, ramp=125_000, **kwargs):
        # Any momentum: the base class keeps no velocities where it is 0.
        super().__init__(learning_rate, momentum=0.5, **kwargs)
        self.initial = initial
        self.final = final
        self.ramp = ramp

    def update_step(self, gradient, variable, learning_rate):
        risen = tf.minimum(tf.cast(self.iterations, tf.float32) / self.ramp, 1.0)
        velocity = self.momentums[self._get_variable_index(variable)].value
        # One pass over the weights instead of five: a quarter of the paper's MNIST step.
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=velocity.handle,
            lr=learning_rate,
            grad=gradient,
            momentum=self.initial + (self.final - self.initial) * risen,
        )

    def get_config(self):
        config = super().get_config()
        for name in ("momentum", "nesterov"):
            del config[name]
        return {**config, "initial": self.initial, "final": self.final, "ramp": self.ramp}
