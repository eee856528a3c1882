"""Atomic writes: a crash or a full disk leaves what was there, and errors become one sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from flowlab.store.errors import StoreError


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file's content with `data` at once, for its owner alone; its folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode=0o600) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` at the end: readers see the old content or the new, no part.

    It is on the disk before it is named so. Where writing fails nothing changes. `mode` is that of a new file, less
    the process's mask.
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


def append_lines(path: Path, data: bytes) -> None:
    """Append whole lines; a torn line left by a crash is cut off first, and of a failed write nothing stays."""
    # Unbuffered: a buffered file would write its rest once more when it is closed.
    with open(path, "ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(max(0, size - 65536))
            tail = file.read()
            size -= len(tail) - (tail.rfind(b"\n") + 1)
            file.truncate(size)
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
            raise


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


def thin(folder: Path, most: int, most_bytes: int) -> None:
    """Delete files named by step where steps are closest, until they are few and small enough.

    Parameters
    ----------
    folder : of files such as 00000040.npz
    most, most_bytes : how many files may stay, and how large together; the first and the last always do
    """
    paths = sorted(folder.glob("[0-9]*.npz"))
    steps = [int(path.stem) for path in paths]
    sizes = [path.stat().st_size for path in paths]
    while len(paths) > 2 and (len(paths) > most or sum(sizes) > most_bytes):
        i = min(range(1, len(paths) - 1), key=lambda k: steps[k + 1] - steps[k - 1])
        paths.pop(i).unlink(missing_ok=True)
        del steps[i], sizes[i]


def keep(path: Path, other: Path) -> None:
    """Give a file that will be replaced, never changed, the second name `other`; nothing happens without hard links."""
    with contextlib.suppress(OSError):
        other.parent.mkdir(exist_ok=True)
        os.link(path, other)


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
