"""Which addresses a server may listen on without more ado."""

import ipaddress
import socket

from gan_keras.errors import UsageError


def check(address, encrypted, insecure):
    """Refuses an address that other machines reach, unless it is protected or meant.

    Args:
        address: Host name or IP address to listen on.
        encrypted: Whether there is TLS.
        insecure: Whether the operator said that it may be without.

    Raises:
        UsageError: it is neither.
    """
    if encrypted or insecure or _is_this_machine(address):
        return
    raise UsageError(
        f"--address={address}: other machines can reach it, and nothing is encrypted; give"
        " --ssl_cert and --ssl_key, or --insecure where a proxy or a network protects it"
    )


def _is_this_machine(address):
    """Whether only this machine reaches the address; what it is not is said when it is bound."""
    if not address:  # all addresses
        return False
    try:
        found = socket.getaddrinfo(address, None, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return True
    return all(ipaddress.ip_address(entry[4][0].partition("%")[0]).is_loopback for entry in found)
