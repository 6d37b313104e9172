"""Layers: equal content has equal bytes, whatever the machine; other tools read them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from jobq_magic.errors import BackendError
from jobq_magic.images.contents import BytesContent
from jobq_magic.images.layer import Staged, stored, write
from jobq_magic.images.model import Entry

ROOT = Path(__file__).parents[3]
NAMES = [
    "opt/jobq/a.txt",
    "opt/jobq/empty",
    "opt/jobq/ü – ☃.txt",
    f"opt/jobq/{'deep/' * 40}leaf",
    f"opt/{'n' * 100}",
    f"opt/{'m' * 101}",
    f"opt/{'ä' * 120}",
    f"opt/{'f' * 154}/{'g' * 99}",
    f"opt/{'h' * 150}/{'i' * 150}",
    "opt/a.b/c",
    "opt/a/b",
    "opt/B",
]


def everything(folder):
    """Entries of each kind, with files in a folder."""
    found = []
    for number, name in enumerate(NAMES):
        data = b"" if name.endswith("empty") else f"{name}\n".encode() * (number * 97 + 1)
        if number % 2:
            path = folder / str(number)
            path.write_bytes(data)
            found.append(Entry(name, data=path, mode=0o755 if number % 3 == 0 else 0o644))
        else:
            found.append(Entry(name, data=data))
    found += [
        Entry("home/jobq", "folder", mode=0o1777),
        Entry("opt/link", "link", target="../somewhere/else"),
        Entry("opt/long-link", "link", target="/t" * 80),
        Entry("opt/ö-link", "link", target="jobq/ü – ☃.txt"),
    ]
    return found


def whole(made):
    return b"".join(made.content.read())


def tree(folder):
    """What lies in a folder: of each path its kind, its content and its permissions."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            found[str(path.relative_to(folder))] = ("link", os.readlink(path))
        elif path.is_dir():
            found[str(path.relative_to(folder))] = ("folder", mode)
        else:
            found[str(path.relative_to(folder))] = (path.read_bytes(), mode)
    return found


def test_a_layer_has_one_digest_whatever_the_folder_the_time_zone_the_umask_the_hash_seed_and_the_order(tmp_path):
    script = """
import os, random, sys, json
from pathlib import Path
sys.path.insert(0, os.environ["THERE"])
from test_layer import everything
from jobq_magic.images.layer import write
os.umask(int(os.environ["MASK"], 8))
folder = Path(os.environ["FOLDER"]); folder.mkdir()
entries = everything(folder)
random.Random(int(os.environ["ORDER"])).shuffle(entries)
for path in folder.iterdir():
    os.utime(path, (int(os.environ["ORDER"]) * 1e6,) * 2)
made = [write(entries, folder=folder), write(entries, compression=""), write(entries, compression="stored")]
print(json.dumps([[each.diff_id, each.digest, each.size] for each in made]))
"""
    zones = ["UTC", "Asia/Tokyo", "America/St_Johns", "Pacific/Kiritimati", "Europe/Berlin"]
    told = set()
    for number in range(10):
        folder = tmp_path / f"{'x' * number}ü {number}"
        settings = {
            "TZ": zones[number % len(zones)],
            "MASK": ["000", "077", "022", "027"][number % 4],
            "PYTHONHASHSEED": str(number * 31),
            "ORDER": str(number),
            "FOLDER": str(folder),
            "THERE": str(Path(__file__).parent),
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **settings}, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        told.add(done.stdout)
    assert len(told) == 1
    (packed, plain), (_, digest, _) = (made := json.loads(told.pop()))[0][:2], made[1]
    assert packed != plain
    assert packed == digest  # the archive within is the one that is not compressed


def test_python_and_gnu_tar_unpack_the_same_tree(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    made = write(everything(source), folder=tmp_path)
    archive = tmp_path / made.digest.removeprefix("sha256:")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
        opened.extractall(ours, filter="fully_trusted")
    done = subprocess.run(["tar", "--extract", "--preserve-permissions", "--file", archive, "-C", theirs], check=False)
    assert done.returncode == 0
    assert tree(ours) == tree(theirs)
    assert {name for name in tree(ours) if not (ours / name).is_dir() and not (ours / name).is_symlink()} == set(NAMES)
    for entry in everything(source):
        if entry.kind == "file":
            data = entry.data if isinstance(entry.data, bytes) else entry.data.read_bytes()
            assert tree(ours)[entry.path] == (data, entry.mode)
    assert tree(ours)["home/jobq"] == ("folder", 0o1777)
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in members} == {(0, 0, "", "", 0)}
    assert [each.name for each in members] == sorted({each.name for each in members}, key=str.encode)


def test_only_names_that_are_long_or_not_ascii_take_extended_headers():
    entries = [Entry("opt/plain"), Entry(f"opt/{'f' * 90}/{'g' * 99}"), Entry("opt/ü")]
    entries += [Entry("opt/x", "link", target="plain"), Entry("opt/y", "link", target="ü")]
    with tarfile.open(fileobj=io.BytesIO(whole(write(entries, compression="")))) as opened:
        extended = {each.name[:9]: set(each.pax_headers) for each in opened}
    plain = {name: set() for name in ("opt", "opt/fffff", "opt/plain", "opt/x")}
    assert extended == plain | {"opt/ü": {"path"}, "opt/y": {"linkpath"}}


def test_a_compressed_layer_says_neither_when_nor_from_what_it_was_made(tmp_path):
    made = write([Entry("opt/a", data=b"a" * 4000)], folder=tmp_path)
    data = whole(made)
    assert data[:2] == b"\x1f\x8b"
    assert data[3:8] == bytes(5)  # no name, no time
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == made.digest
    assert f"sha256:{hashlib.sha256(gzip.decompress(data)).hexdigest()}" == made.diff_id
    assert made.size == len(data)
    assert [path.name for path in tmp_path.iterdir()] == [made.digest.removeprefix("sha256:")]


def test_in_memory_it_is_the_same(tmp_path):
    entries = everything(tmp_path)
    kept, held = write(entries, folder=tmp_path), write(entries)
    assert (kept.digest, kept.size) == (held.digest, held.size)
    assert whole(kept) == whole(held)
    assert isinstance(held.content, BytesContent)


@pytest.mark.parametrize("compression", ["", "stored", "gzip"])
def test_a_content_can_be_read_from_anywhere_on(tmp_path, compression):
    made = write(everything(tmp_path), compression=compression, folder=tmp_path)
    data = whole(made)
    chance = random.Random(7)
    for offset in (0, 1, 511, 512, 513, len(data) - 1, len(data), *(chance.randrange(len(data)) for _ in range(60))):
        assert b"".join(made.content.read(offset)) == data[offset:]


def test_what_is_only_stored_is_not_copied_and_needs_no_reading_once_its_sum_is_known(tmp_path):
    entries = everything(tmp_path)
    made = write(entries, compression="stored", folder=tmp_path)
    assert b"".join(stored(entries, made.content.crc).read()) == whole(made)
    assert len(list(tmp_path.iterdir())) == len(NAMES) // 2


@pytest.mark.parametrize("compression", ["stored", "gzip"])
def test_a_file_of_half_a_gigabyte_takes_less_than_64_megabytes_of_memory(tmp_path, compression):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(512 << 20)
    script = f"""
import resource, sys
from pathlib import Path
from isal import isal_zlib
from jobq_magic.images.layer import write
from jobq_magic.images.model import Entry
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write([Entry("small", data=b"1")], compression={compression!r}, folder=Path({str(tmp_path)!r}))
before = peak()
made = write([Entry("big", data=Path({str(big)!r}))], compression={compression!r}, folder=Path({str(tmp_path)!r}))
assert sum(map(len, made.content.read())) == made.size
print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64 * 1024 * (1024 if sys.platform == "darwin" else 1)


def test_a_file_beyond_what_a_plain_header_can_say_has_its_size_all_the_same(tmp_path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate((8 << 30) + 5)
    start = b""
    for data in stored([Entry("big", data=big)], 0).archive.read():
        start += data
        break
    with tarfile.open(fileobj=io.BytesIO(start), mode="r|") as opened:
        assert opened.next().size == (8 << 30) + 5


def test_a_layer_of_nothing_is_an_archive_of_nothing():
    made = write([], compression="")
    assert whole(made) == bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(whole(made))) as opened:
        assert opened.getmembers() == []


def test_folders_above_are_there_once_and_those_of_the_base_are_left_as_they_are():
    made = write([Entry("opt/a/b"), Entry("opt/a/c"), Entry("tmp/x"), Entry("var/run/y")], compression="")
    with tarfile.open(fileobj=io.BytesIO(whole(made))) as opened:
        assert opened.getnames() == ["opt", "opt/a", "opt/a/b", "opt/a/c", "tmp/x", "var/run/y"]


def test_of_two_entries_with_one_path_the_last_counts():
    made = write([Entry("a", data=b"1"), Entry("a", data=b"2")], compression="")
    with tarfile.open(fileobj=io.BytesIO(whole(made))) as opened:
        assert [opened.extractfile(each).read() for each in opened] == [b"2"]


def test_what_is_made_last_comes_last_and_what_makes_it_is_ended():
    steps = []

    def rest():
        steps.append("waited")
        yield Entry("opt/a/first", data=b"late")
        yield Entry("opt/b/late", data=b"late")

    made = write(Staged([Entry("opt/a/x"), Entry("opt/a/first")], rest, lambda: steps.append("ended")))
    with tarfile.open(fileobj=io.BytesIO(whole(made))) as opened:
        assert opened.getnames() == ["opt", "opt/a", "opt/a/first", "opt/a/x", "opt/b", "opt/b/late"]
    assert steps == ["waited", "ended"]
    with pytest.raises(BackendError):
        write(Staged([Entry("../x")], rest, lambda: steps.append("ended")))
    assert steps[-1] == "ended"


@pytest.mark.parametrize("path", ["", "/etc/x", "a//b", "a/../b", "..", "a\0b", "opt/.wh.x", "opt/.wh..wh..opq/x"])
def test_a_path_that_would_mean_something_else_is_refused(path):
    with pytest.raises(BackendError) as caught:
        write([Entry(path)])
    assert caught.value.code == "cannot-layer"


def test_a_file_that_is_also_a_folder_is_refused():
    with pytest.raises(BackendError, match="/opt/a cannot be a file and hold /opt/a/b"):
        write([Entry("opt/a"), Entry("opt/a/b")])


@pytest.mark.parametrize("size", [10, 30])
def test_a_file_that_changes_meanwhile_is_told(tmp_path, size):
    path = tmp_path / "moving"
    path.write_bytes(b"x" * 20)
    content = stored([Entry("opt/moving", data=path)], 0)
    path.write_bytes(b"x" * size)
    with pytest.raises(BackendError, match="moving was changed while it was put into the image"):
        list(content.read())


def test_a_file_that_is_gone_and_a_folder_that_cannot_be_written_to_are_told(tmp_path):
    with pytest.raises(BackendError, match="gone cannot be put into the image: No such file"):
        write([Entry("opt/gone", data=tmp_path / "gone")])
    with pytest.raises(BackendError, match=r"A layer cannot be written to .*nowhere: No such file"):
        write([Entry("opt/a", data=b"1")], folder=tmp_path / "nowhere")


@pytest.mark.parametrize("size", [1, 512, 65535 - 1536, 65535, 65535 * 3 - 1536, 3 << 20])
def test_what_is_only_stored_is_a_gzip_file_of_the_same_archive(tmp_path, size):
    entries = [Entry("opt/value", data=random.Random(size).randbytes(size))]
    plain, made = write(entries, compression=""), write(entries, compression="stored")
    assert gzip.decompress(whole(made)) == whole(plain)
    assert made.diff_id == plain.diff_id
    assert made.size == len(whole(made)) < len(whole(plain)) * 1.001 + 64
