"""Pictures from a served generator, over gRPC or REST.

TensorFlow Serving and the embedded server of this package answer alike. Over REST neither
TensorFlow nor grpc is imported; over gRPC both are, because the messages of
`tensorflow-serving-api` are TensorFlow's own, so that the first gRPC client of a process takes
seconds to start.

    from gan_keras.client import Client
    pictures = Client("127.0.0.1:8501", transport="rest").sample(count=64, seed=0)
"""

import math
import re
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_keras.client.transports import TRANSPORTS, one_line
from gan_keras.drawing import images
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import arguments, contract

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
        version_label: The version's label instead.

    Raises:
        UsageError: an argument has another form. The server is first spoken to by `sample` and
            `generate`.
    """

    def __init__(
        self,
        server: str,
        transport: str = "grpc",
        model: str = contract.MODEL_NAME,
        timeout: float = 60.0,
        version: int | None = None,
        version_label: str | None = None,
    ) -> None:
        host = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})", server)
        if not host or not 0 < int(host[1]) < 2**16:
            raise UsageError(f"server must be HOST:PORT, not {server!r}")
        if transport not in TRANSPORTS:
            raise UsageError(f"transport must be one of {', '.join(TRANSPORTS)}, not {transport!r}")
        if not model:
            raise UsageError("model must not be empty")
        if not 0 < timeout < math.inf:
            raise UsageError(f"timeout must be seconds above 0, not {timeout}")
        if version is not None and version_label is not None:
            raise UsageError(
                f"version {version} and version_label {version_label!r}: only one can be asked for"
            )
        if version is not None and not 0 <= version < 2**63:
            raise UsageError(f"version must be an integer from 0, not {version}")
        if version_label is not None and not re.fullmatch(r"[a-zA-Z0-9_]+", version_label):
            raise UsageError(
                f"version_label must be made of letters, digits and _, not {version_label!r}"
            )
        self._timeout = timeout
        self._transport = TRANSPORTS[transport](server, model, timeout, version, version_label)

    def sample(
        self, count: int, seed: int = 0, label: int | Sequence[int] | None = None
    ) -> np.ndarray:
        """Pictures of the seeds `seed` to `seed + count - 1`.

        Picture i depends on nothing but `seed + i` and its label: asking for more, or splitting
        a request, never changes one.

        Args:
            count: How many, >= 1.
            seed: int64; the last seed must be one too.
            label: The number of the class of all pictures, or the number for each; of a model
                with classes only. By default each picture's class is drawn from its seed.

        Returns:
            (count, height, width, channels) uint8.

        Raises:
            UsageError: count or seed out of range, or label not an integer.
            UserError: no server, unknown model, or the server's own complaint, as of a label
                that is no class.
        """
        seeds = np.array(arguments.seeds(count, seed), np.int64)
        signature, columns = contract.PNG_SIGNATURE, {contract.SEED: seeds}
        if label is not None:
            signature = contract.PNG_LABEL_SIGNATURE
            columns[contract.LABEL] = arguments.labels(label, len(seeds))
        files = self._rows(signature, columns, contract.PNG_BYTES)
        pictures = [self._understood(_decode, file) for batch in files for file in batch]
        return self._understood(np.stack, pictures)

    def latents(self, count: int, seed: int = 0) -> np.ndarray:
        """The latent vectors that `sample` makes pictures of.

        Args:
            count: As of `sample`.
            seed: As of `sample`.

        Returns:
            (count, latent_dim) float32, for `generate`.

        Raises:
            UsageError: count or seed out of range.
            UserError: as `sample`; also if an earlier version exported the model.
        """
        seeds = np.array(arguments.seeds(count, seed), np.int64)
        columns = {contract.SEED: seeds}
        answers = self._rows(contract.SEED_LATENTS_SIGNATURE, columns, contract.LATENTS)
        return self._understood(np.concatenate, list(answers))

    def generate(self, latents: Any, label: int | Sequence[int] | None = None) -> np.ndarray:
        """Pictures of given latent vectors.

        Args:
            latents: (n, latent_dim) float32, n >= 1, finite, drawn from the prior that the
                model was trained with.
            label: As of `sample`; required if the model has classes.

        Returns:
            (n, height, width, channels) float32 in [-1, 1].

        Raises:
            UsageError: another shape, or not finite, or label not an integer.
            UserError: as `sample`; also if the model takes latents of another width.
        """
        columns = {contract.LATENTS: arguments.latents(latents)}
        if label is not None:
            columns[contract.LABEL] = arguments.labels(label, len(columns[contract.LATENTS]))
        answers = self._rows(contract.LATENTS_SIGNATURE, columns, contract.IMAGES)
        return self._understood(np.concatenate, list(answers))

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _rows(self, signature, columns, output):
        """Yields the answers to the columns' rows, by batches that any server takes.

        All of them have to be there within the time-out.
        """
        end = time.monotonic() + self._timeout
        for rows in arguments.batches(len(next(iter(columns.values())))):
            batch = {name: values[rows] for name, values in columns.items()}
            asked = len(next(iter(batch.values())))
            answer = self._understood(self._transport.predict, signature, batch, output, end)
            count = self._understood(len, answer)
            if count != asked:
                raise UserError(
                    f"{self._transport.where} answered {asked} rows of `{signature}` with {count}"
                )
            yield answer

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
