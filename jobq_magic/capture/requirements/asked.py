"""What the user asks for by `--requirement`, as it is written (PEP 508), and what the place asks for beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jobq_magic.addresses import without_credentials
from jobq_magic.bundle import Requirement
from jobq_magic.capture.requirements.distributions import canonical_name
from jobq_magic.errors import OptionError

__all__ = ["read_asked", "with_extras"]


def read_asked(lines: Iterable[str], versions: Mapping[str, str]) -> tuple[dict[str, Requirement], list[str]]:
    """The requirements that were asked for, by name, and what to say about them.

    Args:
        lines: as they were written.
        versions: what is installed here, by normalised name.

    Raises:
        OptionError: `bad-requirement`.
    """
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    found: dict[str, Requirement] = {}
    notes = []
    for line in dict.fromkeys(line.strip() for line in lines):
        bare = without_credentials(line)
        try:
            parsed = Parsed(bare)
        except InvalidRequirement:
            raise OptionError(
                "bad-requirement", f"--requirement cannot be {bare!r}: it is not a requirement", do=_advice(bare)
            ) from None
        name = canonical_name(parsed.name)
        if name in found:
            raise OptionError(
                "bad-requirement",
                f"--requirement asks for {name} twice: {found[name].origin!r} and {bare!r}",
                do="Join them to one, for example 'pandas>=2,<3'",
            )
        if bare != line:
            notes.append(
                f"credentials were taken out of the address of {name}; where it is installed, they must be at hand "
                "otherwise (netrc, or a helper of git)"
            )
        found[name] = Requirement(name, versions.get(name, ""), "asked", bare, "--requirement")
    return found, notes


def with_extras(known: Requirement | None, line: str, version: str, why: str) -> Requirement | None:
    """A requirement that has the extras of another one too: in the version that was known, else the one given.

    Args:
        known: what is needed of the distribution already, and stays what decides on its version.
        line: its name with extras: `ray[default]`.
        version: as it is installed here; "" where it is not: then only what is known counts.
        why: what needs the extras.
    """
    from packaging.requirements import Requirement as Parsed

    extra = Parsed(line)
    if known is None or known.source in ("index", "system"):
        if not (version := known.version if known else version):
            return known
        origin = f"{extra}=={version.partition('+')[0]}"
    elif known.source == "asked":
        mine = Parsed(known.origin)
        if mine.extras >= extra.extras:
            return known
        mine.extras |= extra.extras
        origin = str(mine)
    else:  # where it is built from knows no extras
        return known
    name = canonical_name(extra.name)
    return Requirement(name, known.version if known else version, "asked", origin, known.why if known else why)


def _advice(line: str) -> str:
    if line.startswith(("-r", "--requirement", "-c")):
        return "Write each requirement of the file on its own"
    if line.startswith("-"):
        return "Options of pip go into its configuration (pip.conf, PIP_INDEX_URL), which is honoured"
    if "://" in line or line.endswith(".whl") or "/" in line:
        return "Write NAME @ ADDRESS, for example 'mytool @ git+https://host/mytool'"
    return "Write for example 'pandas>=2.2'"
