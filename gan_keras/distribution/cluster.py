"""The processes that train together, as TF_CONFIG names them: who they are, and who answers."""

import contextlib
import errno
import json
import logging
import os
import socket
import time
from dataclasses import dataclass

from gan_keras.errors import UsageError, UserError

logger = logging.getLogger(__name__)

VARIABLE = "TF_CONFIG"
# Workers of a synchronous cluster; a parameter server or an evaluator is no part of one.
JOBS = ("chief", "worker")
REPORT_SECONDS = 10.0  # Between two lines about who is awaited.
POLL_SECONDS = 0.2
DIAL_SECONDS = 2.0  # More than a round trip to anywhere, and little beside the time-out.
GREETING_BYTES = 65_536  # Some thousand addresses.


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
    others a greeting, which names its rank and its cluster.

    Args:
        cluster: A Cluster.
        timeout: Seconds to wait at most.

    Raises:
        UserError: some do not answer in time, or the own port cannot be listened at.
        UsageError: another process has another cluster in mind, or the same rank.
    """
    began = reported = time.monotonic()
    unheard, ungreeted = set(cluster.others), set(cluster.others)
    with _listener(cluster) as server:
        while unheard or ungreeted:
            for rank in sorted(ungreeted):
                if _greet(cluster, rank):
                    ungreeted.discard(rank)
            unheard.discard(_heard(cluster, server))
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
    return _dial(cluster, rank, json.dumps(greeting).encode())


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
            "stop what holds it, or name another"
        ) from None
    with server:
        server.settimeout(POLL_SECONDS)
        yield server


def _heard(cluster, server):
    """Returns the rank of one who greets; None if nobody does, or a stranger.

    One at a time: a worker that has met all is TensorFlow's already, whose calls at this port
    would never leave it in peace.
    """
    try:
        line, _ = server.accept()
    except TimeoutError:
        return None
    with line:
        text = _read(line)
    try:
        greeting = json.loads(text)
        rank, addresses = greeting["rank"], tuple(greeting["addresses"])
    except (ValueError, TypeError, KeyError):
        return None
    if addresses != cluster.addresses:
        raise UsageError(
            f"{VARIABLE}: another process has the cluster {', '.join(map(str, addresses))}, "
            f"this one {', '.join(cluster.addresses)}; give all the same"
        )
    if rank == cluster.rank:
        raise UsageError(
            f'{VARIABLE}: another process is {cluster.names[rank]} too; give each its own "task"'
        )
    return rank


def _read(line):
    """Returns what the other side sends until it hangs up, if that can be a greeting."""
    line.settimeout(DIAL_SECONDS)
    text = b""
    with contextlib.suppress(OSError):
        while part := line.recv(4096):
            text += part
            if not text.startswith(b"{") or len(text) > GREETING_BYTES:
                break
    return text
