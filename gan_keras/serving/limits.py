"""How much the embedded server takes on; what is more is refused, and nothing else is harmed."""

import dataclasses
import os
import resource

from gan_keras.exporting import contract

SPARE_DESCRIPTORS = 48  # at least, for the files of a model while it is loaded, logs, and the like


def _limit(default, text):
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how much may be under way.

    Each is a flag of `gan-keras-serve`, with `max_` in front. TensorFlow Serving has the rows'
    limit (`max_batch_size`, the same answer) and the time's, for REST (`rest_api_timeout_in_ms`,
    the same default); the others are this server's own.
    """

    # 64 rows of 4,096 latents, of 25 characters each in JSON, take 6.6 MB.
    body_bytes: int = _limit(
        8 * 2**20,
        "Bytes of one request, decompressed; more: 413, RESOURCE_EXHAUSTED.",
    )
    # 64 rows of 4,096 latents take 262,144. A parsed value takes up to 100 bytes, so that the
    # bytes of a body say little of the memory that it takes.
    values: int = _limit(
        2**19,
        "Values in the JSON of one REST request, where a list or an object counts for 16; more:"
        " 400.",
    )
    rows: int = _limit(
        contract.MAX_BATCH_SIZE,
        "Rows of one prediction; more: 400, INVALID_ARGUMENT.",
    )
    seconds: float = _limit(
        30.0,
        "Seconds from the last byte of a request to its answer; more: 504, DEADLINE_EXCEEDED.",
    )
    body_seconds: float = _limit(
        10.0,
        "Seconds for a request's headers, then for its body; more: closed, or 408,"
        " DEADLINE_EXCEEDED.",
    )
    send_seconds: float = _limit(
        30.0,
        "Seconds for a REST client to read its reply; more: the connection is closed.",
    )
    load_seconds: float = _limit(
        60.0,
        "Seconds for loading a version, warm-up included; after them other versions and models go"
        " first.",
    )
    requests: int = _limit(
        128,
        "Predictions under way, waiting ones included; more: 429, RESOURCE_EXHAUSTED.",
    )
    connections: int = _limit(
        512,
        "Connections of each protocol, lowered where `ulimit -n` is too small. More: REST closes"
        " the one that has waited longest for its client, gRPC takes no more.",
    )

    def fitted(self):
        """Returns these limits with no more connections than the process has descriptors for."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return self
        # gRPC takes a connection before it finds it to be one too many.
        free = soft - len(os.listdir("/dev/fd")) - max(SPARE_DESCRIPTORS, soft // 8)
        return dataclasses.replace(self, connections=max(1, min(self.connections, free // 2)))


# For what comes from the operator, not from a caller.
UNLIMITED = Limits(body_bytes=2**63, rows=2**63, seconds=float("inf"), requests=2**63)
