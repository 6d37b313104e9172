"""Where packages come from, as the user has set it for pip, said in uv's words.

uv reads its own settings itself, and they win. What pip has (its variables, pip.conf) is translated for the process
of uv alone: addresses with credentials are in no command line, no file and no lock of ours.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobq_magic.addresses import without_credentials

__all__ = ["Sources", "sources"]

_SECTIONS = ("global", "install")
_DEFAULT_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_MORE_INDEXES = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
_YES = frozenset({"1", "true", "yes", "on", "y", "t"})


@dataclass(frozen=True, slots=True)
class Sources:
    """What uv is told in its environment."""

    variables: Mapping[str, str]
    """Set for the process of uv, beside what it inherits."""
    options: tuple[str, ...]
    """For its command line: what it has no variable for."""
    find_links: tuple[str, ...]
    """Folders and pages of files, which are given together with ours."""
    key: tuple[str, ...]
    """What can change the outcome, without credentials."""
    secrets: frozenset[str]
    """What must not be repeated, wherever it is met."""


def sources(environ: Mapping[str, str] | None = None) -> Sources:
    """Where packages are looked for here.

    Args:
        environ: the environment; the process's own if None.
    """
    environ = os.environ if environ is None else environ
    pip = _pip(environ)
    own = {name: value for name, value in environ.items() if name.startswith("UV_")}
    told: dict[str, str] = {}
    if (url := pip.get("index-url")) and not any(name in own for name in _DEFAULT_INDEX):
        told["UV_DEFAULT_INDEX"] = url
    if (more := pip.get("extra-index-url", "").split()) and not any(name in own for name in _MORE_INDEXES):
        told["UV_INDEX"] = " ".join(more)
        if "UV_INDEX_STRATEGY" not in own:
            # pip asks all indexes alike; uv would stop at the first that has the name, in whatever version.
            told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if (hosts := pip.get("trusted-host", "").split()) and "UV_INSECURE_HOST" not in own:
        told["UV_INSECURE_HOST"] = " ".join(hosts)
    if pip.get("keyring-provider") == "subprocess" and "UV_KEYRING_PROVIDER" not in own:
        told["UV_KEYRING_PROVIDER"] = "subprocess"
    bundle = pip.get("cert") or environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
    if bundle and not environ.get("SSL_CERT_FILE"):
        told["SSL_CERT_FILE"] = bundle
    if (client := pip.get("client-cert")) and not environ.get("SSL_CLIENT_CERT"):
        told["SSL_CLIENT_CERT"] = client
    if proxy := pip.get("proxy"):
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            if not environ.get(name) and not environ.get(name.lower()):
                told[name] = proxy
    links = own["UV_FIND_LINKS"].split(",") if own.get("UV_FIND_LINKS") else pip.get("find-links", "").split()
    effective = {**own, **{name: value for name, value in told.items() if name.startswith("UV_")}}
    options = ("--no-index",) if pip.get("no-index", "").lower() in _YES else ()
    plain = [f"{name}={without_credentials(value)}" for name, value in sorted(effective.items()) if _counts(name)]
    return Sources(
        told,
        options,
        tuple(link for link in links if "://" in link or Path(link).exists()),
        (*options, *plain, *(without_credentials(link) for link in links)),
        _secrets([*own.values(), *told.values(), *links]),
    )


def _counts(name: str) -> bool:
    """Whether a variable of uv can change what is locked; its passwords and its folders cannot."""
    return not re.search(r"PASSWORD|USERNAME|TOKEN|CACHE|PROGRESS|LOG|CONCURREN|TIMEOUT|RETRIES", name)


def _secrets(texts: list[str]) -> frozenset[str]:
    found = set()
    for text in texts:
        for address in re.findall(r"\S+://\S+", text):
            try:
                password = urlsplit(address).password
            except ValueError:
                continue
            if password and len(password) > 3:
                found |= {password, unquote(password)}
    return frozenset(found)


def _pip(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings of pip: of its files the more particular one wins, and its variables win over all."""
    found: dict[str, str] = {}
    files = [path for path in _pip_files(environ) if path.is_file()]
    if files:
        from configparser import Error, RawConfigParser

        for path in files:
            parser = RawConfigParser()
            try:
                parser.read_string(path.read_text(encoding="utf-8"))
            except (Error, OSError, ValueError):
                continue  # pip itself says what is wrong with it
            for section in _SECTIONS:
                if parser.has_section(section):
                    found |= {name.lower().replace("_", "-"): value for name, value in parser.items(section)}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            found[name[4:].lower().replace("_", "-")] = value
    return found


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip has its settings, the most general first."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = [Path(folder) for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if folder]
    files = [*(folder / "pip/pip.conf" for folder in reversed(shared)), Path("/etc/pip.conf")]
    files += [home / ".pip/pip.conf", config / "pip/pip.conf"]
    if sys.platform == "darwin":
        files.insert(0, Path("/Library/Application Support/pip/pip.conf"))
        files.append(home / "Library/Application Support/pip/pip.conf")
    return [*files, Path(sys.prefix) / "pip.conf", *([Path(named)] if named else [])]
