"""Pictures from a served generator, over gRPC or REST.

TensorFlow Serving and the embedded server of this package answer alike. Over REST neither
TensorFlow nor grpc is imported; over gRPC both are, because the messages of
`tensorflow-serving-api` are TensorFlow's own, so that the first gRPC client of a process takes
seconds to start.

    from gan_keras.client import Client
    pictures = Client("127.0.0.1:8501", transport="rest").sample(count=64, seed=0)
"""

import math
import operator
import re
import struct
import time

import numpy as np

from gan_keras.client.transports import TRANSPORTS, one_line
from gan_keras.drawing import images
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract

SEED_MIN, SEED_MAX = -(2**63), 2**63 - 1
# Pixels of one picture: 2048x2048. A PNG file of a few KB can hold a thousand times as many.
MOST_PIXELS = 2**22
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
# What an answer that is not this API's may make of the functions that read it.
_NOT_UNDERSTOOD = (
    AttributeError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


class Client:
    """Asks one server for pictures of one model. Threads may share a client.

    Args:
        server: "HOST:PORT"; the connection is not encrypted and no proxy is used.
        transport: "grpc" or "rest".
        model: The model's name on the server.
        timeout: Seconds, above 0, that one call of `sample` or `generate` may take, whatever
            the server does.
        version: The model's version, >= 0; None for the one that the server prefers.
        label: The version's label instead.

    Raises:
        UsageError: an argument has another form. The server is first spoken to by `sample` and
            `generate`.
    """

    def __init__(
        self,
        server,
        transport="grpc",
        model=contract.MODEL_NAME,
        timeout=60.0,
        version=None,
        label=None,
    ):
        host = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})", server)
        if not host or not 0 < int(host[1]) < 2**16:
            raise UsageError(f"server must be HOST:PORT, not {server!r}")
        if transport not in TRANSPORTS:
            raise UsageError(f"transport must be one of {', '.join(TRANSPORTS)}, not {transport!r}")
        if not model:
            raise UsageError("model must not be empty")
        if not 0 < timeout < math.inf:
            raise UsageError(f"timeout must be seconds above 0, not {timeout}")
        if version is not None and label is not None:
            raise UsageError(f"version {version} and label {label!r}: only one can be asked for")
        if version is not None and not 0 <= version <= SEED_MAX:
            raise UsageError(f"version must be an integer from 0, not {version}")
        if label is not None and not re.fullmatch(r"[a-zA-Z0-9_]+", label):
            raise UsageError(f"label must be made of letters, digits and _, not {label!r}")
        self._timeout = timeout
        self._transport = TRANSPORTS[transport](server, model, timeout, version, label)

    def sample(self, count, seed=0):
        """Pictures of the seeds `seed` to `seed + count - 1`.

        Picture i depends on nothing but `seed + i`: asking for more, or splitting a request,
        never changes one.

        Args:
            count: How many, >= 1.
            seed: int64; the last seed must be one too.

        Returns:
            (count, height, width, channels) uint8.

        Raises:
            UsageError: count or seed out of range.
            UserError: no server, no such model, or the server's own complaint.
        """
        count, seed = _integer("count", count), _integer("seed", seed)
        if count < 1:
            raise UsageError(f"count must be at least 1, not {count}")
        if not SEED_MIN <= seed <= SEED_MAX - (count - 1):
            raise UsageError(
                f"seed must be from {SEED_MIN} to {SEED_MAX - (count - 1)}"
                f" for {count} pictures, not {seed}"
            )
        end, pictures = self._end(), []
        for first in range(seed, seed + count, contract.MAX_BATCH_SIZE):
            last = min(first + contract.MAX_BATCH_SIZE, seed + count)
            seeds = np.array(range(first, last), np.int64)
            files = self._rows(
                contract.PNG_SIGNATURE, contract.SEED, seeds, contract.PNG_BYTES, end
            )
            pictures += [self._understood(_decode, file) for file in files]
        return self._understood(np.stack, pictures)

    def generate(self, latents):
        """Pictures of given latent vectors.

        Args:
            latents: (n, latent_dim) float32, n >= 1, finite, drawn from the prior that the
                model was trained with.

        Returns:
            (n, height, width, channels) float32 in [-1, 1].

        Raises:
            UsageError: another shape, or not finite.
            UserError: as `sample`; also if the model takes latents of another width.
        """
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or 0 in latents.shape:
            raise UsageError(
                f"latents must be (n, latent_dim), none of them 0, not {latents.shape}"
            )
        if not np.isfinite(latents).all():
            raise UsageError("latents must be finite")
        name, key, output = contract.LATENTS_SIGNATURE, contract.LATENTS, contract.IMAGES
        end = self._end()
        batches = [
            self._rows(name, key, latents[first : first + contract.MAX_BATCH_SIZE], output, end)
            for first in range(0, len(latents), contract.MAX_BATCH_SIZE)
        ]
        return self._understood(np.concatenate, batches)

    def close(self):
        """Closes the connections."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _end(self):
        """The time by which a call that begins now has to be over."""
        return time.monotonic() + self._timeout

    def _rows(self, signature, key, rows, output, end):
        answer = self._understood(self._transport.predict, signature, key, rows, output, end)
        count = self._understood(len, answer)
        if count != len(rows):
            raise UserError(
                f"{self._transport.where} answered {len(rows)} rows of `{signature}` with {count}"
            )
        return answer

    def _understood(self, function, *args):
        """Calls a function that reads the answer; what it cannot read is the server's fault."""
        try:
            return function(*args)
        except _NOT_UNDERSTOOD as error:
            raise UserError(
                f"{self._transport.where} gave an answer that is not this API's:"
                f" {one_line(error)}; is it a model made by gan-keras-export?"
            ) from error


def _decode(file):
    """The pixels of a PNG file, if its first bytes promise no more than a picture's."""
    if file.startswith(_PNG_START) and len(file) >= 24:
        width, height = struct.unpack(">II", file[16:24])
        if width * height > MOST_PIXELS:
            raise ValueError(
                f"a picture of {width}x{height} pixels, where {MOST_PIXELS:,} are the most"
            )
    return images.decode_png(file)


def _integer(name, value):
    try:
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be an integer, not {value!r}") from None
