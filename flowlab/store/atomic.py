"""Atomic writes: a crash or a full disk leaves what was there, and errors become one sentence.

What a name leads to is on the disk before the name is: files are synchronised before they are renamed, and their
folder after it. Folders and files made here are their owner's alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from flowlab.store.errors import StoreError

OWNERS_FILE, OWNERS_FOLDER = 0o600, 0o700

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\Z")


def write_whole(path: Path, data: bytes, sync: bool = True) -> None:
    """Replace the file's content with `data` at once, for its owner alone; its folder must be there.

    `sync`: the new name is on the disk on return; the content always is before the name.
    """
    with replacing(path, OWNERS_FILE, sync) as file:
        _write_all(file.fileno(), data)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o666, sync: bool = True) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` at the end: readers see the old content or the new, no part.

    It is on the disk before it is named so. Where writing fails nothing changes. `mode` is that of a new file, less
    the process's mask; with `sync` the new name is on the disk in the end.
    """
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if sync:
        sync_folder(path.parent)


def append_lines(path: Path, data: bytes, sync: bool = False) -> None:
    """Append whole lines; a torn line left by a crash is cut off first, and of a failed write nothing stays.

    `sync`: they, and all lines before them, are on the disk on return. The file is its owner's alone.
    """
    # Not a file object: a buffered one would write its rest once more when it is closed.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNERS_FILE)
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        if size:
            begin = max(0, size - 65536)
            tail = os.pread(file, size - begin, begin)
            whole = begin + tail.rfind(b"\n") + 1
            if whole < size:
                size = whole
                os.ftruncate(file, size)
        try:
            _write_all(file, data)
        except OSError:
            os.ftruncate(file, size)
            raise
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def make_folder(folder: Path, parents: bool = True) -> None:
    """Make a folder, and with `parents` those above it, for their owner alone; one that is there stays.

    FileNotFoundError without `parents` where the one above is not there: what was deleted does not come back.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if not parents:
            break
        folder = folder.parent
    for new in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(new, OWNERS_FOLDER)
        sync_folder(new.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; nothing happens where a folder cannot be opened (Windows)."""
    with contextlib.suppress(PermissionError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def remove_temporary(folder: Path, older_than_seconds: float = 0.0) -> None:
    """Delete what `replacing` left in a folder when its process was killed."""
    for path in children(folder):
        is_old = time.time() - changed_at(path) / 1e9 >= older_than_seconds
        if _TEMPORARY.match(path.name) and is_old:
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else os.unlink(path)


@contextlib.contextmanager
def on_disk(what: str) -> Iterator[None]:
    """A context that turns the system's errors into a StoreError: `what` was lost, why, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(f"The disk is full: {what}. Free some space, then go on.") from error
        reason = error.strerror or type(error).__name__
        raise StoreError(f"Writing failed ({reason}): {what}. Check the folder's permissions, then go on.") from error


def steps_in(folder: Path) -> list[int]:
    """The steps that files such as 00000040.npz are named by, ascending; other files do not count."""
    stems = (path.stem for path in children(folder) if path.suffix == ".npz")
    return sorted(int(stem) for stem in stems if re.fullmatch(r"[0-9]{8}", stem))


def thin(folder: Path, most: int, most_bytes: int) -> None:
    """Delete files named by step where steps are closest, until they are few and small enough.

    Parameters
    ----------
    folder : of files such as 00000040.npz
    most, most_bytes : how many files may stay, and how large together; the first and the last always do
    """
    steps = steps_in(folder)
    paths = [folder / f"{step:08d}.npz" for step in steps]
    sizes = [path.stat().st_size for path in paths]
    while len(paths) > 2 and (len(paths) > most or sum(sizes) > most_bytes):
        i = min(range(1, len(paths) - 1), key=lambda k: steps[k + 1] - steps[k - 1])
        paths.pop(i).unlink(missing_ok=True)
        del steps[i], sizes[i]


def keep(path: Path, other: Path) -> None:
    """Give a file that will be replaced, never changed, the second name `other`; nothing happens without hard links.

    The folder of `other` is made within one that is there.
    """
    make_folder(other.parent, parents=False)
    try:
        os.link(path, other)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise


def children(folder: Path) -> list[Path]:
    """The files and folders in a folder; an empty list if it is not there."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def changed_at(path: Path) -> int:
    """When a file last changed, in nanoseconds; 0 if it is gone."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
