"""Pictures from a served generator, over gRPC or REST.

TensorFlow Serving and the embedded server of this package answer alike. TensorFlow is never
imported, and grpc only over gRPC: the first picture comes within a second of the program's start.

    from gan_keras.client import Client
    pictures = Client("127.0.0.1:8501", transport="rest").sample(count=64, seed=0)
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_keras.client import refusals
from gan_keras.client.in_flight import ordered
from gan_keras.client.over_grpc import Grpc
from gan_keras.client.over_rest import Rest
from gan_keras.client.security import Security
from gan_keras.drawing import images
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import arguments, contract

TRANSPORTS: dict[str, type[Grpc] | type[Rest]] = {"grpc": Grpc, "rest": Rest}
# A class of the model: its number, or its name as the model card has it.
Label = int | str
MOST_PIXELS = 2**22  # of one picture: 2048x2048
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
        server: "HOST:PORT"; no proxy is used.
        transport: "grpc" or "rest".
        model: The model's name on the server.
        timeout: Seconds, above 0 and up to 10^6, that one call of `sample` or `generate` may
            take, whatever the server does.
        version: The model's version, >= 0; None for the one that the server prefers.
        version_label: The version's label instead.
        in_flight: Requests of one call that are under way at the same time, >= 1, where it asks
            for more pictures than one request may hold.
        tls: Encrypt the connection, and check that the server's certificate is for HOST.
        ca_cert: PEM file of the certificate that signed the server's; None for those that the
            system trusts. With it `tls` is meant.
        token: What the server's --token_file holds, where it has one.

    A request that the server refuses because it is busy or away (UNAVAILABLE, 503, 429) is sent
    again after a pause, three times at most and within the time of the call; no other is.

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
        in_flight: int = 4,
        tls: bool = False,
        ca_cert: str | Path | None = None,
        token: str | None = None,
    ) -> None:
        host = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})", server)
        if not host or not 0 < int(host[1]) < 2**16:
            raise UsageError(f"server must be HOST:PORT, not {server!r}")
        if transport not in TRANSPORTS:
            raise UsageError(f"transport must be one of {', '.join(TRANSPORTS)}, not {transport!r}")
        if not model:
            raise UsageError("model must not be empty")
        if not 0 < timeout <= contract.MOST_SECONDS:
            raise UsageError(
                f"timeout must be seconds above 0, and {contract.MOST_SECONDS:,} at most,"
                f" not {timeout}"
            )
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
        if arguments.integer("in_flight", in_flight) < 1:
            raise UsageError(f"in_flight must be at least 1, not {in_flight}")
        self._timeout, self._in_flight = timeout, in_flight
        self._names: list[str] = []
        security = Security(tls, ca_cert, token)
        self._transport = TRANSPORTS[transport](
            server, model, timeout, version, version_label, security
        )

    def sample(
        self, count: int, seed: int = 0, label: Label | Sequence[Label] | None = None
    ) -> np.ndarray:
        """Pictures of the seeds `seed` to `seed + count - 1`.

        Picture i depends on nothing but `seed + i` and its label: asking for more, or splitting
        a request, never changes one.

        Args:
            count: How many, >= 1.
            seed: int64; the last seed must be one too.
            label: The class of all pictures, or the class of each, by number or by name; of a
                model with classes only. By default each picture's class is drawn from its seed.

        Returns:
            (count, height, width, channels) uint8.

        Raises:
            UsageError: count or seed out of range, or label neither an integer nor the name of
                one of the model's classes.
            UserError: no server, unknown model, or the server's own complaint, as of a label
                that is no class.
        """
        end = time.monotonic() + self._timeout
        seeds = np.array(arguments.seeds(count, seed), np.int64)
        signature, columns = contract.PNG_SIGNATURE, {contract.SEED: seeds}
        if label is not None:
            signature = contract.PNG_LABEL_SIGNATURE
            columns[contract.LABEL] = self._numbers(label, len(seeds), end)
        files = self._rows(signature, columns, contract.PNG_BYTES, end)
        pictures = [self._picture(file, end) for batch in files for file in batch]
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
        end = time.monotonic() + self._timeout
        seeds = np.array(arguments.seeds(count, seed), np.int64)
        columns = {contract.SEED: seeds}
        answers = self._rows(contract.SEED_LATENTS_SIGNATURE, columns, contract.LATENTS, end)
        return self._understood(np.concatenate, list(answers))

    def generate(self, latents: Any, label: Label | Sequence[Label] | None = None) -> np.ndarray:
        """Pictures of given latent vectors.

        Args:
            latents: (n, latent_dim) float32, n >= 1, finite, drawn from the prior that the
                model was trained with.
            label: As of `sample`; required if the model has classes.

        Returns:
            (n, height, width, channels) float32 in [-1, 1].

        Raises:
            UsageError: another shape, or not finite, or label as of `sample`.
            UserError: as `sample`; also if the model takes latents of another width.
        """
        end = time.monotonic() + self._timeout
        columns = {contract.LATENTS: arguments.latents(latents)}
        if label is not None:
            columns[contract.LABEL] = self._numbers(label, len(columns[contract.LATENTS]), end)
        answers = self._rows(contract.LATENTS_SIGNATURE, columns, contract.IMAGES, end)
        return self._understood(np.concatenate, list(answers))

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def classes(self) -> list[str]:
        """Returns the names of the model's classes in the order of their numbers.

        They are asked for once; the client keeps them.

        Raises:
            UserError: the model has none, or as `sample`.
        """
        return list(self._class_names(time.monotonic() + self._timeout))

    def _class_names(self, end):
        if not self._names:
            names: list[str] = []
            while "" not in names:  # the name of the first number that is no class
                more = range(len(names), len(names) + contract.MAX_BATCH_SIZE)
                columns = {contract.LABEL: np.array(more, np.int64)}
                (answer,) = self._rows(
                    contract.CLASSES_SIGNATURE, columns, contract.NAME_BYTES, end
                )
                names += [self._understood(name.decode) for name in answer]
            self._names = names[: names.index("")]
        return self._names

    def _numbers(self, label, rows, end):
        """Returns the numbers of classes, int64 (rows,)."""
        if isinstance(label, str):
            label = self._number(label, end)
        elif not np.isscalar(label) and any(isinstance(each, str) for each in label):
            label = [self._number(each, end) if isinstance(each, str) else each for each in label]
        return arguments.labels(label, rows)

    def _number(self, name, end):
        try:
            names = self._class_names(end)
        except refusals.NoSignature:
            raise UsageError(
                f"label {name!r}: the model has no names of classes; it was trained without labels"
                " (train with --conditional), or exported by an early version (give a number, or"
                " export again)"
            ) from None
        if name in names:
            return names.index(name)
        alike = [number for number, each in enumerate(names) if each.lower() == name.lower()]
        if len(alike) == 1:
            return alike[0]
        raise UsageError(
            f"label {name!r}: choose from {refusals.one_line(', '.join(names))}, or give a number"
            f" from 0 to {len(names) - 1}"
        )

    def _rows(self, signature, columns, output, end):
        """Yields the answers to the columns' rows, by batches that any server takes.

        All of them have to be there when `time.monotonic()` is `end`.
        """

        def ask(rows):
            batch = {name: values[rows] for name, values in columns.items()}
            asked = len(next(iter(batch.values())))
            answer = self._understood(self._transport.predict, signature, batch, output, end)
            count = self._understood(len, answer)
            if count != asked:
                raise UserError(
                    f"{self._transport.where} answered {asked} rows of `{signature}` with {count}"
                )
            return answer

        slices = list(arguments.batches(len(next(iter(columns.values())))))
        return ordered(ask, slices, self._in_flight)

    def _picture(self, file, end):
        if time.monotonic() >= end:
            raise refusals.too_slow(self._transport.where, self._timeout)
        return self._understood(images.decode_png, file, MOST_PIXELS)

    def _understood(self, function, *args):
        """Calls a function that reads the answer; what it cannot read is the server's fault."""
        try:
            return function(*args)
        except _NOT_UNDERSTOOD as error:
            raise UserError(
                f"{self._transport.where} gave an answer that is not this API's:"
                f" {refusals.one_line(error)}; is it a model made by gan-keras-export?"
            ) from error
