from ipaddress import ip_network

import pytest

from services.delivery.address import is_allowed

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    "literal",
    [
        "127.0.0.1", "127.255.0.9", "0.0.0.1", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "100.64.0.1", "169.254.169.254", "169.254.170.2", "192.0.0.8", "192.0.2.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "2002:7f00:1::",
        "2002:a9fe:a9fe::", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "2001:0:a9fe:a9fe::1",
        "::127.0.0.1",
        # what a resolver would read as an address, and what it would not
        "2130706433", "127.1", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "localhost", "", "1.2.3.4.5",
    ],
)  # fmt: skip
def test_what_is_not_public_is_not_reached(literal: str) -> None:
    assert not is_allowed(literal, [])


@pytest.mark.parametrize(
    "literal", ["8.8.8.8", "1.1.1.1", "54.240.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
)
def test_what_is_public_is_reached(literal: str) -> None:
    assert is_allowed(literal, [])


@pytest.mark.parametrize("literal", ["127.0.0.1", "fd12::1", "::ffff:127.0.0.1"])
def test_the_operator_may_allow_private_networks(literal: str) -> None:
    assert is_allowed(literal, LOOPBACK)


@pytest.mark.parametrize("literal", ["10.0.0.1", "169.254.169.254", "127.1", "::ffff:10.0.0.1"])
def test_what_is_allowed_opens_nothing_else(literal: str) -> None:
    assert not is_allowed(literal, LOOPBACK)
