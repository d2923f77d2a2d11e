"""Addresses that other machines reach need TLS, or a word of the operator."""

import pytest

from gan_keras.cli import addresses
from gan_keras.errors import UsageError


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_this_machine_needs_no_protection(address):
    addresses.check(address, encrypted=False, insecure=False)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_other_machines_get_in_with_tls_or_on_purpose_only(address):
    with pytest.raises(UsageError, match=f"--address={address}: other machines can reach it"):
        addresses.check(address, encrypted=False, insecure=False)
    addresses.check(address, encrypted=True, insecure=False)
    addresses.check(address, encrypted=False, insecure=True)
