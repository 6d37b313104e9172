"""By what a credential is known: its form, the name that it has, the file that it lies in, the client that holds it."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePath

__all__ = [
    "client_with_credentials",
    "is_credential_file",
    "is_secret_name",
    "looks_random",
    "only_words",
    "secret_in_text",
]

_NAMES = re.compile(
    r"(?<![a-z0-9])(?:secret|passw(?:or)?d|passphrase|pwd|api[_-]?key|access[_-]?key|account_?key|private_?key|"
    r"secret_?key|credentials?|authorization|"
    r"(?:auth|access|api|bearer|refresh|hf|gh|github|gitlab|slack)[_-]?token|token)(?![a-z])"
)
_ABOUT = re.compile(
    r"_(?:urls?|uri|endpoint|host|names?|field|col|column|path|file|filename|dir|folder|len|length|size|count|limit|types?|"
    r"env|var|variable|header|prefix|suffix|sep|pattern|regex|re|format|ids?|ttl|expiry|expires|expires_at|policy|hint|"
    r"label|help|prompt|message|error|selector|input|widget|form|placeholder|required|enabled|rules?|validator|manager|"
    r"store|provider|service|class|module|model|kind|mode|method|scope|reset|strength|description|title|algorithm|text)$"
)
"""How names end that say something about a credential, and do not hold one."""
_OTHER_TOKENS = re.compile(
    r"(?:^|_)(?:page|next|prev|continuation|cursor|pad|eos|bos|unk|sep|cls|mask|special|start|stop|end|sync|image|"
    r"first|last|extra|new|vocab|class)_?token$"
)
"""Tokens of texts and of pages."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FORMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("an AWS access key", ("AKIA", "ASIA"), r"\b(AKIA|ASIA)[0-9A-Z]{16}\b(?<!EXAMPLE)"),
    (
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    ),
    ("a GitLab token", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("an API key", ("sk-",), r"\bsk-(?:[A-Za-z0-9_]{0,24}-){0,8}(?=[A-Za-z_]{0,40}\d)[A-Za-z0-9_]{20,}"),
    ("a Stripe key", ("k_live_", "k_test_"), r"\b[rs]k_(live|test)_[0-9A-Za-z]{16,}"),
    ("a Slack token", ("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", ("hooks.slack",), r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}"),
    ("a Hugging Face token", ("hf_",), r"\bhf_[A-Za-z0-9]{30,}"),
    ("a Google API key", ("AIza",), r"\bAIza[0-9A-Za-z_-]{35}\b"),
    ("a Google client secret", ("GOCSPX-",), r"\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    ("a PyPI token", ("pypi-",), r"\bpypi-AgEI[A-Za-z0-9_-]{30,}"),
    ("an npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a Databricks token", ("dapi",), r"\bdapi[0-9a-f]{32}\b"),
    ("a SendGrid key", ("SG.",), r"\bSG\.[\w-]{16,}\.[\w-]{32,}"),
    (
        "an Azure key",
        ("AccountKey=", "AccessKey="),
        r"\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{32,}={0,2}",
    ),
    ("a private key", ("-----BEGIN",), r"-----BEGIN ([A-Z]+ )*PRIVATE KEY( BLOCK)?-----"),
    (
        "a web token",
        ("eyJ",),
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    ),
)
"""Kind, what is looked for first as it costs least, and the form, which is compiled when it is first needed."""
_ADDRESS = re.compile(r"://([^/\s:@{}$<>\"']{0,100}):([^/\s:@{}$<>*\"']{3,200})@[\w.{$%-]")
_TOKEN_ADDRESS = re.compile(r"https?://(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{20,200}@[\w.-]")
_QUERY = re.compile(r"[?&]([A-Za-z][\w.-]{2,40})=([^\s&#\"'<>{}$]{16,400})")
_PLACEHOLDERS = re.compile(
    r"(x+|\*+|\.+|-+|_+|<.*>|\{.*\}|\[.*\]|\(.*\)|%.*|\$.*|(your|my|the|some|insert|replace|enter|put)[ _-].*|"
    r"change_?(me|it)|.*example.*|.*placeholder.*|none|null|nil|true|false|yes|no|on|off|test(ing)?|dummy|fake|mock|"
    r"todo|fixme|tbd|n/?a|foo|bar|baz|redacted|hidden|unset|unknown|empty|default|optional|required|str(ing)?|text|bytes|"
    r"object|category|varchar.*|char|int|integer|user(name)?|pass(word|wd|phrase)?|pwd|secret|token|key|credentials?|"
    r"api[_-]?key|basic|bearer|oauth2?|jwt)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[\w.-]+\.[a-z]{2,4}|([a-zA-Z]+\d{0,4}[./:_-])+[a-zA-Z]*\d{0,4}")
"""Names of files, modules, models."""
_SCHEME = re.compile(r"(?:Bearer|Basic|Token|Bot|ApiKey)\s+", re.IGNORECASE)
_LONGEST = 1 << 20
_PART = re.compile(
    r"(?:[A-Z]?[a-z]{1,20}|[A-Z]{1,12}|[A-Z]?[a-z]{0,12}(?:[A-Z]{1,5}[a-z]{3,20}|Not){1,5})?\d{0,4}|"
    r"\d{1,5}|\d{1,3}[A-Za-z]{1,2}|\d\dT\d\d"
)
"""A word, the name of a class, a small number: of those are files, hosts, options and days, and no credential is."""
_PARTS = re.compile(r"[./_@~!…-]")
_SCHEMES = frozenset({"bearer", "basic"})
_ARE = frozenset({"is", "was", "are", "were"})
_BEHIND = re.compile(
    r"(is|was|are|were|a|an|and|any|as|at|be|because|been|before|but|by|can|cannot|could|did|do|does|failed|for|"
    r"from|given|had|has|have|if|in|into|it|may|must|no|not|of|on|or|our|the|there|this|that|"
    r"to|until|via|when|which|while|will|with|without|would|you|your|absent|already|audience|cache|"
    r"changed|configured|denied|disabled|empty|endpoint|error|exchange|expired|expires|file|found|"
    r"included|incorrect|invalid|issued|issuer|key|malformed|mismatch|missing|name|needed|open|"
    r"opening|password|path|provided|provider|refresh|refused|rejected|request|requested|required|"
    r"response|revoked|secret|server|set|source|token|type|unauthorized|unknown|unset|url|valid|wrong)[.!…]*",
    re.IGNORECASE,
)
"""What programs say behind the name of a credential, as in `token has expired`; another word there may be one."""
_BETWEEN = re.compile(r"([\s\"'`=:,;&?#|()\[\]{}<>]+)")

_FILES = re.compile(
    r"(?:\.env(?:\.(?!example$|sample$|template$|dist$)\w+)*|[\w.-]+\.env|\.?netrc|_netrc|\.pgpass|\.pypirc|"
    r"\.git-credentials|\.htpasswd|\.dockercfg|\.dockerconfigjson|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|kubeconfig|"
    r"[\w.-]+\.kubeconfig|credentials(?:\.json|\.ini|\.ya?ml|\.toml|\.db)?|application_default_credentials\.json|"
    r"client_secrets?[\w.-]*\.json|service[_-]?account[\w.-]*\.json|secrets?\.(?:json|ya?ml|toml|ini|env)|"
    r".+\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk))",
    re.IGNORECASE,
)
_FOLDERS = frozenset({".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".gcloud"})

_CLIENTS: tuple[tuple[str, str], ...] = (
    ("boto3", r"session\.Session|resources\..+"),
    ("botocore", r"client\..+|session\.Session|credentials\..+"),
    ("aiobotocore", r"client\..+|session\..+Session"),
    ("google.auth", r".*\b\w*Credentials"),
    ("google.oauth2", r".*\b\w*Credentials"),
    ("google.cloud", r".*\b\w*Client"),
    ("google.genai", r".*\b\w*Client"),
    ("azure", r".*\b\w*(Credentials?|Client)"),
    ("openai", r".*\b(Async)?(Azure)?OpenAI"),
    ("anthropic", r".*\b(Async)?Anthropic\w*"),
    ("cohere", r".*\b(Async)?Client(V2)?"),
    ("mistralai", r".*\bMistral\w*"),
    ("groq", r".*\b(Async)?Groq"),
    ("kubernetes", r"client\.(configuration\.Configuration|api_client\.ApiClient)"),
    ("kubernetes_asyncio", r"client\.(configuration\.Configuration|api_client\.ApiClient)"),
    ("snowflake.connector", r".*\bSnowflakeConnection"),
    ("paramiko", r".*\b\w*(Key|SSHClient)"),
    ("cryptography.hazmat", r".*\b\w*PrivateKey"),
)
"""Packages, and their classes whose instances hold credentials or get them by themselves."""


def secret_in_text(text: str) -> str | None:
    """The kind of credential whose form is found in a text."""
    if len(text) < 12:
        return None
    text = text[:_LONGEST]
    for kind, marks, form in _FORMS:
        if any(mark in text for mark in marks) and re.search(form, text):
            return kind
    if "://" not in text:
        return None
    for found in _ADDRESS.finditer(text) if "@" in text else ():
        user, password = found[1].lower(), found[2].lower()
        # What everybody writes into examples, and the users of databases on one's own machine.
        if password != user and not _PLACEHOLDERS.fullmatch(password):
            return "a password in an address"
    if "@" in text and _TOKEN_ADDRESS.search(text):
        return "a token in an address"
    for found in _QUERY.finditer(text) if "?" in text else ():
        if is_secret_name(found[1]) and looks_random(found[1], found[2]):
            return "a secret in an address"
    return None


def only_words(text: str) -> str:
    """What a program said that knows credentials: what could be one is left out, better a word too many.

    Behind the name of a credential only those words are left that programs say there.
    """
    words = _BETWEEN.split(text)
    before = ""
    for at in range(0, len(words), 2):
        word, between = words[at], words[at - 1] if at else ""
        if not word:
            continue
        told = is_secret_name(before) or before.lower() in _SCHEMES
        given = told and (before.startswith("-") or not set(between).isdisjoint("\"'=`"))
        if told:
            readable = _BEHIND.fullmatch(word) is not None or word.lower() in _SCHEMES
        else:
            readable = all(_PART.fullmatch(part) for part in _PARTS.split(word))
        if given or not readable:
            words[at] = "****"
        if not (told and word.lower() in _ARE):  # `password is ...` tells of what comes next, too
            before = word if told or readable else ""
    return "".join(words)


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", name).lower()).strip("_")


def is_secret_name(text: str) -> bool:
    """Whether a name, or a word in a text, is one that credentials have."""
    return _NAMES.search(_plain(text) if len(text) < 200 else _CAMEL.sub("_", text).lower()) is not None


def looks_random(name: str, text: str, *, strict: bool = False) -> bool:
    """Whether a text under a telling name is a credential, and not a word about one.

    Args:
        name: what it is called.
        text: what it is.
        strict: a password is one only with digits: in files that are not of today, many are made up.
    """
    name = _plain(name)
    text = _SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text
    if _ABOUT.search(name) or _OTHER_TOKENS.search(name):
        return False
    if any(letter.isspace() for letter in text) or _PLACEHOLDERS.fullmatch(text) or "://" in text:
        return False
    if text.startswith(("/", "./", "../", "~")) or re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", text):
        return False  # a file, the name of a variable
    digits, letters = any(c.isdigit() for c in text), any(c.isalpha() for c in text)
    if re.search(r"passw|passphrase", name):
        word = _plain(text)
        least = 8 if strict else 4
        return len(text) >= least and (not word or word not in name) and (not strict or (digits and letters))
    if name.endswith("pwd"):  # a folder as often as a password
        return len(text) >= 6 and digits and letters and "/" not in text
    return len(text) >= 12 and digits and letters and not _WORDS.fullmatch(text)


def is_credential_file(path: PurePath) -> bool:
    """Whether a file is of those in which programs keep credentials."""
    return _FILES.fullmatch(path.name) is not None or path.parent.name in _FOLDERS


def client_with_credentials(kind: type) -> str | None:
    """The class of a cloud's or a service's client that a type is, or is made of; it may not even pickle."""
    for base in kind.__mro__[:-1]:
        module, name = base.__module__, base.__qualname__
        for package, classes in _CLIENTS:
            if not f"{module}.".startswith(f"{package}."):
                continue
            if re.fullmatch(classes, f"{module.removeprefix(package).lstrip('.')}.{name}".lstrip(".")):
                return f"{module}.{name}"
    return None
