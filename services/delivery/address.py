"""Which addresses a callback may reach: the public Internet, and what the operator allows beside it.

A callback URL comes from a contact flow; without this check it could reach the metadata service of the task,
or anything else in the private network.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

type Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses behind a translator (RFC 6052)."""


def is_allowed(literal: str, allowed: Sequence[Network]) -> bool:
    """Whether a connection to this address may be made.

    Args:
        literal: As given to the socket. What is not a plain IP address (`127.1`, `0x7f000001`, a name) is
            refused: the system's resolver would read more into it.
        allowed: Networks that the operator allows although they are not public.
    """
    try:
        address = ip_address(literal.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # the socket makes an IPv4 connection of it
    if any(address in network for network in allowed):
        return True
    return all(_is_public(each) for each in (address, *_tunnelled(address)))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _tunnelled(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses that packets to an IPv6 address may end at."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in found if each is not None]
