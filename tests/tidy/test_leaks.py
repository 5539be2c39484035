"""Nothing of the machine it was made on, and no credential, is in the tree."""

from __future__ import annotations

import ipaddress
import re

import pytest

from tests.tidy.tree import files, text

# Each pattern is written so that it does not find itself.
LEAKS: dict[str, re.Pattern[str]] = {
    "a path of a machine": re.compile(
        r"(?<![\w.}])/(?:ho[m]e/\w|ro[o]t/|Us[e]rs/\w|wo[r]k/\w|t[m]p/\w)|\b[A-Z]:\\\\?(?:Us[e]rs|Pro[g]ram)"
    ),
    "the host of a registry": re.compile(
        r"py[p]i\.org|python[h]osted\.org|registry\.[n]pmjs|docker\.i[o]\b|ghcr\.i[o]\b|quay\.i[o]\b|proxy\.go[l]ang|index-[u]rl|crates\.i[o]\b"
    ),
    "a private key": re.compile(r"-----BEGI[N] [A-Z ]*PRIVATE KEY"),
    "a key of a cloud": re.compile(
        r"\bA[K]IA[0-9A-Z]{16}\b|\bg[h][pousr]_\w{30,}|\bxo[x][abprs]-\w{10,}|\bsk_liv[e]_\w{10,}|\bAI[z]a[\w-]{30,}"
    ),
    "a signed token": re.compile(r"\bey[J][\w-]{10,}\.ey[J][\w-]{10,}"),
    "a key of a caller": re.compile(r"\bc[w]_[0-9a-f]{16}_[\w-]{40,}"),
    "a secret in the clear": re.compile(
        r"""(?i)\b(?:password|passwd|secret|token|api_?key)\b["']?\s*[:=]\s*["'][A-Za-z0-9+/_=-]{16,}["']"""
    ),
    "a login in an address": re.compile(r"\w+://[^/\s:@{}'\"]+:[^/\s@{}'\"]+@"),
}
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}(?::[0-9a-fA-F]{1,4}|[0-9a-fA-F]{1,4})(?![\w:])")
# For documentation, and for protocols: no machine of anybody's is told by one of these.
_NOBODYS = [
    ipaddress.ip_network(n)
    for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "192.0.0.0/24", "169.254.0.0/16")
]


def _foreign(said: str) -> bool:
    """Whether this is the address of a machine that exists: neither this one's own nor one for examples."""
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        return False
    example = any(address.version == n.version and address in n for n in _NOBODYS)
    # Sections of the guides are numbered from 1 and look like addresses of a network that nobody here talks to.
    section = address.version == 4 and said.startswith("1.")
    return not (address.is_loopback or address.is_unspecified or example or section)


def _lines() -> list[tuple[str, str]]:
    return [(f"{name}:{number}", line) for name in files() for number, line in enumerate(text(name).splitlines(), 1)]


@pytest.mark.parametrize("what", LEAKS)
def test_no_file_holds(what: str) -> None:
    assert [] == [place for place, line in _lines() if LEAKS[what].search(line)]


def test_addresses_are_loopback_or_for_examples() -> None:
    assert [] == [
        f"{place}: {said[0]}"
        for place, line in _lines()
        for pattern in (_IPV4, _IPV6)
        for said in pattern.finditer(line)
        if _foreign(said[0])
    ]


@pytest.mark.parametrize(
    ("what", "example"),
    [
        ("a path of a machine", "see /ho" + "me/ada/x12"),
        ("the host of a registry", "https://py" + "pi.org/simple"),
        ("a private key", "-----BEGI" + "N EC PRIVATE KEY-----"),
        ("a key of a cloud", "A" + "KIA" + "0" * 16),
        ("a signed token", "ey" + "J" + "a" * 12 + ".ey" + "J" + "b" * 12),
        ("a key of a caller", "c" + "w_" + "0" * 16 + "_" + "a" * 43),
        ("a secret in the clear", "token" + ' = "' + "a" * 20 + '"'),
        ("a login in an address", "https://ada:" + "open@example.org"),
    ],
)
def test_what_must_not_leak_would_be_seen(what: str, example: str) -> None:
    assert LEAKS[what].search(example)


@pytest.mark.parametrize(("said", "foreign"), [("10.1.2" + ".3", True), ("127.0.0.1", False), ("192.0.2.7", False)])
def test_addresses_are_told_apart(said: str, foreign: bool) -> None:
    assert foreign == _foreign(said)
