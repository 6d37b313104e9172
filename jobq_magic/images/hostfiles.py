"""Which files of this machine the base `host` is made of, and the few that it has of its own."""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from jobq_magic.images.model import Entry

__all__ = ["LibraryFile", "certificates", "standard_library", "system", "tools", "trees"]

_NO_FOLDERS = frozenset(
    # Tests, what is installed into it, what shows windows, and an installer that nobody needs in a job.
    {"test", "tests", "idle_test", "site-packages", "dist-packages", "idlelib", "tkinter", "turtledemo", "ensurepip"}
)
_NO_FILES = frozenset({"turtle.py", "sitecustomize.py", "usercustomize.py", "EXTERNALLY-MANAGED"})
_NO_ENDINGS = (".pyc", ".a", ".o", ".exe")
_NO_EXTENSIONS = ("_tkinter.", "_test", "xxlimited", "_xxtest", "_ctypes_test")
_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",
)
_ZONES = Path("/usr/share/zoneinfo")
_LOCALE = Path("/usr/lib/locale/C.utf8")
"""Not every C library has this one built in."""
_TOOLS = (
    *("sh", "bash", "env", "cat", "ls", "cp", "mv", "rm", "mkdir", "rmdir", "ln", "chmod", "chown", "touch"),
    *("readlink", "echo", "printf", "true", "false", "test", "[", "sleep", "date", "pwd", "id", "whoami", "uname"),
    *("head", "tail", "wc", "sort", "uniq", "cut", "tr", "tee", "dirname", "basename", "realpath", "stat", "df"),
    *("du", "nproc", "expr", "seq", "sha256sum", "mktemp", "timeout", "nohup", "dd", "od", "grep", "sed", "awk"),
    *("find", "xargs", "tar", "gzip"),
)
_WHERE = ("/usr/bin", "/bin")
_COPIED = ("/etc/os-release", "/etc/protocols", "/etc/services")
_WRITTEN = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}
_PLAIN = ("bin", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "run", "sys", "usr", "var")
_FOLDERS = dict.fromkeys(_PLAIN, 0o755) | dict.fromkeys(("tmp", "var/tmp"), 0o1777)


class LibraryFile(NamedTuple):
    """A file of the standard library, and what the disk says of it."""

    inside: str
    """Its path in the library's folder."""
    path: str
    size: int
    changed: int


def standard_library() -> list[LibraryFile]:
    """The files of the standard library that travel."""
    root = Path(os.__file__).parent
    found = _below(str(root), "")
    if not (root / "lib-dynload").is_dir():  # on some systems extension modules lie in another folder
        elsewhere = next((path for path in sys.path if posixpath.basename(path) == "lib-dynload"), "")
        found += _below(elsewhere, "lib-dynload/") if elsewhere else []
    return sorted(found)


def _below(folder: str, inside: str) -> list[LibraryFile]:
    """The files below a folder: hundreds, each time that an image is asked for, so this is plain and quick."""
    found: list[LibraryFile] = []
    left = [(folder, inside)]
    while left:
        folder, inside = left.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir():
                    if name not in _NO_FOLDERS and name != "__pycache__" and not name.startswith("config-"):
                        left.append((entry.path, f"{inside}{name}/"))
                elif _travels(name) and entry.is_file():
                    stat = entry.stat()
                    found.append(LibraryFile(inside + name, entry.path, stat.st_size, stat.st_mtime_ns))
    return found


def _travels(name: str) -> bool:
    if name.endswith(".py"):
        return name not in _NO_FILES
    if name.endswith(".so"):
        return not name.startswith(_NO_EXTENSIONS)
    return name not in _NO_FILES and not name.endswith(_NO_ENDINGS)


def tools() -> dict[str, Path]:
    """A shell and what belongs to one, as far as it is here: where it is, by name."""
    found: dict[str, Path] = {}
    for name in _TOOLS:
        for folder in _WHERE:
            if os.access(path := f"{folder}/{name}", os.X_OK):
                found[name] = Path(path)
                break
    return found


def certificates() -> Path | None:
    """The certificates that this machine trusts, as one file."""
    known = next((Path(name) for name in _CERTIFICATES if Path(name).is_file()), None)
    if known is not None:
        return known
    import ssl  # 10 ms that few need

    told = ssl.get_default_verify_paths().cafile
    return Path(told) if told else None


def trees() -> tuple[Path, ...]:
    """Folders that travel as they are: time zones, and the one locale."""
    return tuple(folder for folder in (_ZONES, _LOCALE) if folder.is_dir())


def system(company: Mapping[str, Path]) -> Iterator[Entry]:
    """What makes a system of it: folders, users, time zones, certificates, and the tools in /usr/bin and /bin."""
    for name, mode in _FOLDERS.items():
        yield Entry(name, "folder", mode=mode)
    for name, text in _WRITTEN.items():
        yield Entry(name, data=text.encode())
    for name in _COPIED:
        if Path(name).is_file():
            yield Entry(name.strip("/"), data=Path(os.path.realpath(name)))
    if (trusted := certificates()) is not None:
        yield Entry("etc/ssl/certs/ca-certificates.crt", data=Path(os.path.realpath(trusted)))
    for folder in trees():
        yield from _tree(folder)
    for name, path in ((name, Path(os.path.realpath(called))) for name, called in company.items()):
        # One program may be many tools, by the name that it is called by: it is there once.
        yield Entry(f"usr/bin/{path.name}", data=path, mode=0o755)
        if name != path.name:
            yield Entry(f"usr/bin/{name}", "link", target=path.name)
        yield Entry(f"bin/{name}", "link", target=f"../usr/bin/{path.name}")


def _tree(root: Path) -> Iterator[Entry]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in ("posix", "right")]
        for path in (Path(folder, name) for name in files):
            if not path.is_symlink():
                yield Entry(str(path).strip("/"), data=path)
            elif not (target := path.readlink()).is_absolute():
                yield Entry(str(path).strip("/"), "link", target=str(target))
