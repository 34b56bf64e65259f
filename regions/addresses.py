"""Which addresses a server may have: what clients and we ourselves are sent to. Pure."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from django.http.request import validate_host

LONGEST = 255
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(
    rf"(?P<scheme>[a-z]+)://(?P<host>{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[\x21-\x7e]*)?",
    re.ASCII,
)
_LINK_LOCAL = ip_network("169.254.0.0/16")
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")


class BadAddress(ValueError):
    """`code` names the fault, the text says it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def require(url: str, *, schemes: Sequence[str], allowed_hosts: Sequence[str] = ()) -> None:
    """BadAddress unless `url` is a plain address of one of the schemes, on a host that may be used.

    No userinfo, query or fragment; no link-local host, however it is spelled; a host of
    `allowed_hosts` where that is not empty (`.example.org` stands for all below it).
    """
    if "@" in url or "?" in url or "#" in url or "\\" in url:
        raise BadAddress("invalid_url", "Leave out user names, passwords, queries and fragments.")
    match = _URL.fullmatch(url)
    if match is None or len(url) > LONGEST:
        wanted = " or ".join(f"{scheme}://host" for scheme in schemes)
        raise BadAddress("invalid_url", f"Give an address like {wanted}, perhaps with a port.")
    if match["scheme"] not in schemes:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise BadAddress("invalid_scheme", f"The address must begin with {wanted}.")
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65535:
        raise BadAddress("invalid_port", "A port lies between 1 and 65535.")
    _require_host(match["host"].lower().rstrip("."), allowed_hosts)


def _require_host(host: str, allowed_hosts: Sequence[str]) -> None:
    if host.startswith("["):
        try:
            address: IPv4Address | IPv6Address | None = IPv6Address(host[1:-1])
        except ValueError:
            raise BadAddress("invalid_url", "This is no IPv6 address.") from None
    else:
        address = _ipv4(host)
    if address is not None and _is_link_local(address):
        raise BadAddress("link_local_host", "Link-local addresses are not voice servers.")
    if allowed_hosts and not validate_host(host, [name.lower() for name in allowed_hosts]):
        raise BadAddress("host_not_allowed", "This host is not one of LIVEKIT_ALLOWED_HOSTS.")


def _ipv4(host: str) -> IPv4Address | None:
    """The address behind any spelling that a resolver takes: 2852039166, 0xa9.0376.43518, …"""
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_link_local(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address in _LINK_LOCAL
    if address.is_link_local:
        return True
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and (address in _NAT64 or address in _COMPATIBLE):
        inside = IPv4Address(int(address) & 0xFFFFFFFF)
    return inside is not None and inside in _LINK_LOCAL
