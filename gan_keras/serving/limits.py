"""How much the embedded server takes on; what is more is refused, and nothing else is harmed."""

import dataclasses

from gan_keras.exporting import contract


def _limit(default, text):
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how many may be under way.

    Each is a flag of `gan-keras-serve`, with `max_` in front. TensorFlow Serving has the rows'
    limit (`max_batch_size`, the same answer) and the time's, for REST (`rest_api_timeout_in_ms`,
    the same default); the others are this server's own.
    """

    # 64 rows of 4,096 latents, of 25 characters each in JSON, take 6.6 MB. What the limit is for:
    # a body of empty lists takes about 25 times its size when it is parsed.
    body_bytes: int = _limit(
        8 * 2**20,
        "Bytes of one request, decompressed; more: 413, RESOURCE_EXHAUSTED.",
    )
    rows: int = _limit(
        contract.MAX_BATCH_SIZE,
        "Rows of one prediction; more: 400, INVALID_ARGUMENT.",
    )
    seconds: float = _limit(
        30.0,
        "Seconds from a prediction's arrival to its answer; more: 504 (408 if the body was late),"
        " DEADLINE_EXCEEDED.",
    )
    requests: int = _limit(
        128,
        "Predictions under way, waiting ones included; more: 429, RESOURCE_EXHAUSTED.",
    )


# For what comes from the operator, not from a caller.
UNLIMITED = Limits(body_bytes=2**63, rows=2**63, seconds=float("inf"), requests=2**63)
