"""What looks like a credential must not travel by accident: bundles are kept, and images are read by many."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice

from jobq_magic.capture.inside import attributes_of, items_of
from jobq_magic.errors import CaptureError

__all__ = ["refuse_secrets", "secret_in_source", "secret_in_text", "secret_in_value"]

_NAMES = re.compile(
    r"(^|[_\W])(secret|passw(or)?d|passphrase|pwd|api_?key|apikey|access_?key|private_?key|secret_?key|"
    r"credentials?|(auth|access|api|bearer|refresh|hf|gh|github|gitlab|slack)_?token|token)($|[_\W\d])",
    re.IGNORECASE,
)
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an AWS access key", re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("an API key", re.compile(r"\bsk-(proj-|ant-)?[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a private key", re.compile(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----")),
    ("a web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@{}$<>]+:[^/\s:@{}$<>*]{3,}@[\w.-]")),
)
_MARKS = re.compile(r"AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|sk-|xox|hf_|AIza|-----BEGIN|eyJ|://")
_PLACEHOLDERS = re.compile(
    r"^(x+|\*+|\.+|<.*>|\{.*\}|\$.*|your[_-].*|change_?me|example.*|none|null|test|dummy)$", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_WRAPPERS = frozenset({"SecretStr", "SecretBytes"})
_MOST = 2_000
_LONGEST = 1 << 20


def refuse_secrets(name: str, value: object, why: str) -> None:
    """Refuses a value that holds what looks like a credential.

    Raises:
        CaptureError: `secret-in-value`.
    """
    if (found := secret_in_value(name, value)) is not None:
        path, kind = found
        raise CaptureError(
            "secret-in-value",
            f"{path} looks like {kind}; used by: {why}",
            do=f"Read it from os.environ in the cell and pass it with --secret NAME, or insist with --include {name}",
        )


def secret_in_value(name: str, value: object) -> tuple[str, str] | None:
    """Where in `value` a credential is, as a path, and what kind it seems to be."""
    for path, last, inner in _walk(name, value):
        if type(inner).__name__ in _WRAPPERS:
            return path, "a secret"
        text = inner[:_LONGEST].decode("latin-1") if isinstance(inner, bytes) else inner
        if isinstance(text, str) and text:
            if (kind := secret_in_text(text)) is not None:
                return path, kind
            if _NAMES.search(last) and _is_random(last, text):
                return path, "a secret"
    return None


def secret_in_text(text: str) -> str | None:
    """The kind of credential whose form is found in a text."""
    if len(text) < 12 or not _MARKS.search(text, 0, _LONGEST):
        return None
    return next((kind for kind, form in _FORMS if form.search(text, 0, _LONGEST)), None)


def secret_in_source(text: str, insisted: frozenset[str] = frozenset()) -> tuple[int, str] | None:
    """The line of a source text on which a credential stands, and its kind; but for lines that name what is meant."""
    if secret_in_text(text) is not None:
        for at, line in enumerate(text.splitlines(), 1):
            if (kind := secret_in_text(line)) is not None and not insisted & set(_WORD.findall(line)):
                return at, kind
    if not _NAMES.search(text):
        return None
    for node in ast.walk(ast.parse(text)):
        for name, value in _named_constants(node):
            if name not in insisted and _NAMES.search(name) and _is_random(name, value):
                return getattr(node, "lineno", 1), f"a secret ({name})"
    return None


def _named_constants(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=ast.Constant(value=str(value))):
            yield name, value
        case ast.Assign(
            targets=[ast.Subscript(slice=ast.Constant(value=str(name)))], value=ast.Constant(value=str(value))
        ):
            yield name, value
        case ast.keyword(arg=str(name), value=ast.Constant(value=str(value))):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            for key, inner in zip(keys, values, strict=True):
                match key, inner:
                    case ast.Constant(value=str(name)), ast.Constant(value=str(value)):
                        yield name, value


def _is_random(name: str, text: str) -> bool:
    """Whether a text under a telling name is a credential, and not a word about one."""
    if any(letter.isspace() for letter in text) or _PLACEHOLDERS.match(text) or "/" in text[:2]:
        return False
    if re.search(r"passw|pwd|passphrase", name, re.IGNORECASE):
        return len(text) >= 4
    return len(text) >= 12 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text)


def _walk(name: str, value: object) -> Iterator[tuple[str, str, object]]:
    """Texts in plain containers and in instances' attributes, as (path, last name, value); bounded."""
    queue: list[tuple[str, str, object, int]] = [(name, name, value, 0)]
    seen: set[int] = set()
    while queue and len(seen) < _MOST:
        path, last, inner, depth = queue.pop()
        yield path, last, inner
        if id(inner) in seen or depth > 6:
            continue
        seen.add(id(inner))
        pairs: list[tuple[str, str, object]] = []
        if (items := items_of(inner, _MOST)) is not None:
            pairs = [(path + step, key if key is not None else last, part) for step, key, part in items]
        else:
            own = islice(attributes_of(inner).items(), _MOST)
            pairs = [(f"{path}.{key}", str(key), part) for key, part in own]
        queue += [(*pair, depth + 1) for pair in reversed(pairs)]
