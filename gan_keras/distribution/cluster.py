"""The processes that train together, as TF_CONFIG names them: who they are, and who answers."""

import contextlib
import errno
import hmac
import json
import logging
import os
import socket
import time
from dataclasses import dataclass

from gan_keras.errors import UsageError, UserError, visible

logger = logging.getLogger(__name__)

VARIABLE = "TF_CONFIG"
SECRET = "GAN_KERAS_CLUSTER_SECRET"  # An environment variable; what it holds is never sent.
# Workers of a synchronous cluster; a parameter server or an evaluator is no part of one.
JOBS = ("chief", "worker")
REPORT_SECONDS = 10.0  # Between two lines about who is awaited.
POLL_SECONDS = 0.2
DIAL_SECONDS = 2.0  # More than a round trip to anywhere, and little beside the time-out.
GREETING_BYTES = 65_536  # Some thousand addresses.
MOST_WARNINGS = 20  # Of strangers, each of them once.
LONGEST_NAMES = 200  # Of what strangers say.


@dataclass(frozen=True)
class Cluster:
    """The workers by rank: the chief first, if one is named, then worker 0, 1, ..."""

    names: tuple  # As in "worker 1".
    addresses: tuple  # As in "host:port".
    rank: int  # This process.

    @property
    def others(self):
        """The ranks of all but this process."""
        return [rank for rank in range(len(self.addresses)) if rank != self.rank]

    def title(self, rank):
        """Returns a worker for a person to read: its name and address."""
        return f"{self.names[rank]} ({self.addresses[rank]})"


def from_environment():
    """Returns the Cluster that TF_CONFIG names.

    Raises:
        UsageError: it is missing or malformed, or this process is none of the cluster.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        fields = json.loads(text)
        jobs, task = dict(fields["cluster"]), fields["task"]
        kind, index = task["type"], task["index"]
        names = [f"{job} {i}" for job in JOBS for i in range(len(jobs.get(job, [])))]
        addresses = [address for job in JOBS for address in jobs.get(job, [])]
        if not isinstance(jobs["worker"], list) or not isinstance(jobs.get("chief", []), list):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise UsageError(
            f"{VARIABLE}={text!r}: --strategy=multi_worker needs a JSON object with "
            '"cluster": {"worker": [addresses]} and "task": {"type", "index"}'
        ) from None
    if others := sorted(set(jobs) - set(JOBS)):
        raise UsageError(
            f"{VARIABLE}: job {others[0]!r} takes no part in synchronous training; "
            f"name {' and '.join(JOBS)} only"
        )
    for address in addresses:
        _split(address)
    if twice := [address for address in addresses if addresses.count(address) > 1]:
        raise UsageError(f"{VARIABLE}: {twice[0]} stands there twice; give each worker its own")
    if len(jobs.get("chief", [])) > 1:
        raise UsageError(f"{VARIABLE}: names several chiefs; leave one, or none for worker 0")
    name = f"{kind} {index}"
    if type(index) is not int or name not in names:
        raise UsageError(
            f"{VARIABLE}: this process is {name}, which the cluster does not name; "
            f"choose from {', '.join(names)}"
        )
    return Cluster(tuple(names), tuple(addresses), names.index(name))


def _split(address):
    """Returns host and port of an address."""
    host, colon, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65_536):
        raise UsageError(f"{VARIABLE}: {address!r} is no address; write host:port")
    return host.strip("[]"), int(port)


def meet(cluster, timeout):
    """Waits until every worker has been heard here, and has heard this one.

    TensorFlow waits for a missing worker in silence, for an hour; here all know of each other
    before its server takes the port over. Each process listens at its own port and sends all
    others a greeting, which names its rank and its cluster. Whoever says anything else is a
    stranger, of whom there is a warning. Where the environment has a secret, greetings carry a
    proof of it, and only who proves it is believed.

    Args:
        cluster: A Cluster.
        timeout: Seconds to wait at most.

    Raises:
        UserError: some do not answer in time, or the own port cannot be listened at.
        UsageError: a process that proved the secret has another cluster in mind, or the same
            rank. Without a secret that is a warning, as anybody can say so.
    """
    began = reported = time.monotonic()
    told = set()
    unheard, ungreeted = set(cluster.others), set(cluster.others)
    with _listener(cluster) as server:
        while unheard or ungreeted:
            for rank in sorted(ungreeted):
                if _greet(cluster, rank):
                    ungreeted.discard(rank)
            unheard.discard(_heard(cluster, server, told))
            now = time.monotonic()
            awaited = ", ".join(map(cluster.title, sorted(unheard | ungreeted)))
            if awaited and now - began > timeout:
                raise UserError(
                    f"--cluster_timeout={timeout}: no answer from {awaited} in that many seconds; "
                    f"start the same command there, or mend {VARIABLE}"
                )
            if awaited and now - reported > REPORT_SECONDS:
                reported = now
                logger.info("waiting for %s, %.0f s left", awaited, timeout - (now - began))


def silent(cluster):
    """Returns the ranks of the workers whose server cannot be reached now."""
    return [rank for rank in cluster.others if not _dial(cluster, rank)]


def _dial(cluster, rank, message=b""):
    """Sends a message to a worker; whether there was somebody to take it."""
    try:
        with socket.create_connection(_split(cluster.addresses[rank]), DIAL_SECONDS) as line:
            line.sendall(message)
    except OSError:
        return False
    return True


def _greet(cluster, rank):
    greeting = {"rank": cluster.rank, "addresses": cluster.addresses}
    if proof := _proof(greeting):
        greeting["proof"] = proof
    return _dial(cluster, rank, json.dumps(greeting).encode())


def _proof(greeting):
    """What only who knows the secret can say of a greeting; None where there is no secret."""
    secret = os.environb.get(SECRET.encode())
    if not secret:
        return None
    said = json.dumps([greeting["rank"], greeting["addresses"]]).encode()
    return hmac.new(secret, said, "sha256").hexdigest()


@contextlib.contextmanager
def _listener(cluster):
    own = cluster.addresses[cluster.rank]
    _, port = _split(own)
    try:
        # On all interfaces, as TensorFlow's server does: the address that others see may be
        # that of a router.
        server = socket.create_server(("", port), backlog=max(128, len(cluster.addresses)))
    except OSError as error:
        reason = "in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise UserError(
            f"{VARIABLE}: port {port} of {own}, which is this process: {reason}; "
            "stop what holds it, or choose another"
        ) from None
    with server:
        server.settimeout(POLL_SECONDS)
        yield server


def _heard(cluster, server, told):
    """Returns the rank of one who greets; None if nobody does, or a stranger.

    One at a time: a worker that has met all is TensorFlow's already, whose calls at this port
    would never leave it in peace.
    """
    try:
        line, peer = server.accept()
    except TimeoutError:
        return None
    with line:
        text = _read(line)
    # Nothing, or TensorFlow's server of a worker that has met all: both are as they should be.
    if not text or b"PRI * HTTP/2".startswith(text[:12]):
        return None
    try:
        return _understood(cluster, text)
    except _Stranger as stranger:
        warning = f"ignored a stranger from {peer[0]}: {stranger}"
        if warning not in told and len(told) < MOST_WARNINGS:
            told.add(warning)
            logger.warning("%s", visible(warning))
        return None


class _Stranger(Exception):
    """Says why somebody is no worker of this cluster."""


def _understood(cluster, text):
    """Returns the rank in a greeting, or raises."""
    try:
        greeting = json.loads(text)
        rank, addresses = greeting["rank"], greeting["addresses"]
        proof = greeting.get("proof")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _Stranger("what it said is no greeting") from None
    if type(rank) is not int or not isinstance(addresses, list):
        raise _Stranger("what it said is no greeting")
    expected = _proof(greeting)
    if expected and not (
        isinstance(proof, str) and hmac.compare_digest(expected.encode(), proof.encode())
    ):
        raise _Stranger(f"it does not know the secret of {SECRET}; give all workers the same")
    wrong = None
    if tuple(addresses) != cluster.addresses:
        said = ", ".join(map(str, addresses))[:LONGEST_NAMES]
        wrong = (
            f"another process has the cluster {said}, "
            f"this one {', '.join(cluster.addresses)}; give all the same"
        )
    elif rank == cluster.rank:
        wrong = f'another process is {cluster.names[rank]} too; give each its own "task"'
    elif rank not in cluster.others:
        wrong = f"another process is worker {rank}, of which there is none"
    if wrong and expected:
        raise UsageError(f"{VARIABLE}: {wrong}")
    if wrong:
        raise _Stranger(f"{VARIABLE}: {wrong}")
    return rank


def _read(line):
    """Returns what the other side sends until it hangs up, if that can be a greeting."""
    end = time.monotonic() + DIAL_SECONDS  # For all of it: who drips holds nobody up.
    text = b""
    with contextlib.suppress(OSError):
        while (left := end - time.monotonic()) > 0:
            line.settimeout(left)
            part = line.recv(4096)
            text += part
            if not part or not text.startswith(b"{") or len(text) > GREETING_BYTES:
                break
    return text
