"""Which addresses a webhook may reach: public ones only (server-side request forgery).

A URL comes from an author and its parts from leads' data; without this, it could make delivery
talk to whatever its own network trusts. Checked on what is connected to, after resolving, so that
a name cannot point elsewhere in between.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


class ForbiddenTarget(OSError):
    """The host is, or resolves to, an address that is not public."""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet, whatever it is wrapped in."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = _wrapped(address)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translated or tunnelled IPv6 address leads to."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    for network in _NAT64:
        if isinstance(network, IPv6Network) and address in network:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def check_literal(host: str) -> None:
    """Raise `ForbiddenTarget` when the host is itself an address, and not a public one.

    The HTTP client asks no resolver about those, nor about what the C library takes for one:
    `127.1`, `0x7f000001`, `2130706433`.
    """
    try:
        address = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
        public = is_public(address)
    except (OSError, ValueError):
        return
    if not public:
        raise ForbiddenTarget(f"{host} is not a public address")


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses; one that has any other is refused as a whole."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises `ForbiddenTarget`, or `OSError` when the name is not known."""
        found: list[ResolveResult] = await self._resolver.resolve(host, port, family)
        for each in found:
            if not is_public(each["host"]):
                raise ForbiddenTarget(f"{host} resolves to {each['host']}, which is not public")
        return found

    async def close(self) -> None:
        """Nothing is kept."""
        await self._resolver.close()


def resolver(allow_private: bool) -> Any:
    """The resolver for the setting."""
    return ThreadedResolver() if allow_private else PublicResolver()
