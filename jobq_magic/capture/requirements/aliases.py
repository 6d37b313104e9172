"""Names under which distributions are imported that are not their own.

Only a hint: what is installed is proved by its list of files. For what is not installed here, it is what the user is
told to ask for.
"""

from __future__ import annotations

from jobq_magic.capture.requirements.distributions import canonical_name

__all__ = ["guesses", "suggestion", "twins"]

_OTHERS: dict[str, tuple[str, ...]] = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "dateutil": ("python-dateutil",),
    "docx": ("python-docx",),
    "dotenv": ("python-dotenv",),
    "faiss": ("faiss-cpu", "faiss-gpu-cu12"),
    "fitz": ("pymupdf",),
    "git": ("gitpython",),
    "google.protobuf": ("protobuf",),
    "grpc": ("grpcio",),
    "jose": ("python-jose",),
    "jwt": ("pyjwt",),
    "lightning_fabric": ("lightning-fabric", "lightning"),
    "magic": ("python-magic",),
    "mpl_toolkits": ("matplotlib",),
    "mx": ("egenix-mx-base",),
    "MySQLdb": ("mysqlclient",),
    "OpenSSL": ("pyopenssl",),
    "pkg_resources": ("setuptools",),
    "PIL": ("pillow",),
    "pptx": ("python-pptx",),
    "psycopg2": ("psycopg2-binary", "psycopg2"),
    "pylab": ("matplotlib",),
    "pythonjsonlogger": ("python-json-logger",),
    "rpds": ("rpds-py",),
    "serial": ("pyserial",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "skopt": ("scikit-optimize",),
    "socks": ("pysocks",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "umap": ("umap-learn",),
    "usb": ("pyusb",),
    "win32api": ("pywin32",),
    "wx": ("wxpython",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "yaml": ("pyyaml",),
    "zmq": ("pyzmq",),
    "Crypto": ("pycryptodome",),
    "Cryptodome": ("pycryptodomex",),
}


def twins(module: str) -> tuple[str, ...]:
    """Distributions any of which has this module, as far as they are known."""
    parts = module.split(".")
    return _OTHERS.get(".".join(parts[:2])) or _OTHERS.get(parts[0]) or ()


def guesses(top: str, relative: str = "") -> list[str]:
    """Normalised names of distributions that may have a module, the likeliest first.

    Args:
        top: the top-level name.
        relative: the path of the module's file, where it is known: in a namespace it tells more than the name.
    """
    found = []
    if (parts := relative.split("/")) and len(parts) > 2:
        found += [canonical_name("-".join(parts[:depth])) for depth in (3, 2) if len(parts) > depth]
        found += _OTHERS.get(".".join(parts[:2]), ())
    found += _OTHERS.get(top, ())
    own = canonical_name(top.lstrip("_"))
    return list(dict.fromkeys([*found, own, f"python-{own}", f"py{own}"]))


def suggestion(module: str) -> str:
    """What to ask for where a module is not installed here."""
    return next(iter(twins(module)), canonical_name(module.partition(".")[0]))
