"""Writing to disk so that a crash or a full disk leaves what was there: whole files, whole lines, plain sentences."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flowlab.store.errors import StoreError


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file at once: others see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def append_lines(path: Path, data: bytes) -> None:
    """Add whole lines; a torn line left by a crash is cut off first, and a failed write takes back its half."""
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
    """Turn the system's errors into one sentence that says `what` was lost and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(f"The disk is full: {what}. Free some space, then go on.") from error
        reason = error.strerror or type(error).__name__
        raise StoreError(f"Writing failed ({reason}): {what}. Check the folder's permissions, then go on.") from error


def thin(folder: Path, most: int, most_bytes: int) -> None:
    """Drop files named by step where they stand closest, until they are few and small enough; first and last stay."""
    paths = sorted(folder.glob("[0-9]*.npz"))
    steps = [int(path.stem) for path in paths]
    sizes = [path.stat().st_size for path in paths]
    while len(paths) > 2 and (len(paths) > most or sum(sizes) > most_bytes):
        i = min(range(1, len(paths) - 1), key=lambda k: steps[k + 1] - steps[k - 1])
        paths.pop(i).unlink(missing_ok=True)
        del steps[i], sizes[i]


def keep(path: Path, other: Path) -> None:
    """A second name for a file that will be replaced, never changed. Where the disk has no links, do without."""
    with contextlib.suppress(OSError):
        other.parent.mkdir(exist_ok=True)
        os.link(path, other)


def children(folder: Path) -> list[Path]:
    """What lies in a folder; nothing if it is not there."""
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
