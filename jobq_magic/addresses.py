"""Addresses: without what opens them, and whether their machines are reached by a proxy.

Credentials are for the machine that has them, and for no file of ours.
"""

from __future__ import annotations

import re

__all__ = ["is_spared", "redacted", "without_credentials"]

_AUTHORITY = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/?#\s@]*(?:@[^/?#\s@]*)*)@(?=[^/?#\s@]*)")
_TELLING = re.compile(
    r"(?<=[?&#])[^=&#\s]*(?:token|signature|sig|secret|passw|credential|apikey|api_key|access_?key|auth)[^=&#\s]*"
    r"=[^&#\s]*",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """A text that holds addresses, without their users, passwords and signatures.

    The user of an SSH address stays: it is a name (`git`) and opens nothing.
    """

    def bare(found: re.Match[str]) -> str:
        scheme, user = found["scheme"], found["user"]
        if scheme.lower().endswith("ssh"):
            return f"{scheme}://{user.partition(':')[0]}@"
        return f"{scheme}://"

    stripped = _TELLING.sub("", _AUTHORITY.sub(bare, text))
    if stripped == text:
        return text
    # What the signatures leave behind: `?&`, `?` and `&` with nothing after them.
    stripped = re.sub(r"(?<=[?&#])&+", "", stripped)
    return re.sub(r"[?&#]+(?=$|[\s#;])", "", stripped)


def redacted(text: str, secrets: frozenset[str] = frozenset()) -> str:
    """What another program said, without credentials: neither in addresses nor, where they are known, elsewhere."""
    text = without_credentials(text)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "****")
    return text


def is_spared(host: str, listed: str) -> bool:
    """Whether a host is spoken to without a proxy.

    Args:
        host: a name, or an address.
        listed: as NO_PROXY has them: hosts, what lies below them, and networks.
    """
    return any(_means(entry.strip().lower(), host.lower()) for entry in listed.split(","))


def _means(entry: str, host: str) -> bool:
    """Whether an entry means a host: itself, what lies below it, or a network that it is in."""
    if not entry:
        return False
    if entry == "*":
        return True
    import ipaddress  # who has no proxy does without

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name = entry.rpartition(":")[0] if entry.rpartition(":")[2].isdigit() else entry
        name = name.removeprefix("*").removeprefix(".")
        return host == name or host.endswith(f".{name}")
