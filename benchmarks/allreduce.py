"""What it costs on paper that N workers add up their gradients around a ring.

Reference: Patarasuk and Yuan 2009, https://doi.org/10.1016/j.jpdc.2008.09.002
"""

from dataclasses import dataclass

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Link:
    """What lies between two neighbours in the ring: its slowest part counts."""

    bandwidth: float  # Bytes per second in one direction.
    latency: float  # Seconds from one neighbour to the next.


def bytes_per_step(generator, discriminator, discriminator_steps=1):
    """Returns the bytes of gradients that each worker adds up in a step with k updates of D."""
    return FLOAT32_BYTES * (generator + discriminator_steps * discriminator)


def seconds(size, workers, link, reductions=1):
    """Returns how long the all-reduces of a step take.

    A ring of N cuts the gradients into N parts and passes them on N - 1 times to add them up, and
    N - 1 times to spread the sums: 2 (N - 1) (size / (N bandwidth) + latency). Each of several
    reductions pays for the latency.
    """
    passes = 2 * (workers - 1)
    return passes * (size / workers / link.bandwidth + reductions * link.latency)


def efficiency(step, size, workers, link, reductions=1):
    """Returns which share of N times one worker's speed is left, from 0 to 1.

    Each worker keeps its own batch, of `step` seconds, and nothing is computed while gradients are
    added up: an update of D has to be over before G answers to it.
    """
    return step / (step + seconds(size, workers, link, reductions))
