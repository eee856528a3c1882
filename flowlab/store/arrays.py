"""Arrays and dataclasses of arrays to NPZ bytes and back, and tables fit for Parquet; nothing is pickled."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import numpy as np

from flowlab.store.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


MAX_BYTES = 2**31
"""Unpacked bytes of one file, all arrays together."""
PIECE = 2**20

_HEADER = re.compile(
    rb"\{'descr': '([<|])([biufU])([1-9]\d{0,5})', 'fortran_order': (True|False), 'shape': \(([\d, ]{0,200})\), \} *\n"
)
_WIDTHS = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "U": range(1, 10**6)}
MAX_DIMENSIONS = 8


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an NPZ file by name; StoreError if it is missing or damaged, in whatever way."""
    try:
        return arrays_of(path.read_bytes())
    except Exception as error:  # a damaged archive has a dozen ways to say so: zlib, zipfile, struct, memory
        owner = next((folder.name for folder in path.parents if _RUN.fullmatch(folder.name)), path.parent.name)
        raise StoreError(f"{path.name} of run {owner} cannot be read; restart the run.") from error


_RUN = re.compile(r"[0-9a-f]{16}")


def arrays_of(data: bytes) -> dict[str, np.ndarray]:
    """The arrays in the bytes of an NPZ file by name; ValueError, or what zipfile raises, where they are damaged."""
    found, left = {}, MAX_BYTES
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            pieces = []
            with archive.open(info) as member:
                while piece := member.read(PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise ValueError(f"more than {MAX_BYTES} bytes")
                    pieces.append(piece)
            found[info.filename.removesuffix(".npy")] = array_of(b"".join(pieces))
    return found


def array_of(data: bytes) -> np.ndarray:
    """The array in the bytes of an NPY file: numbers, truth values or texts; ValueError for anything else.

    The header is matched, not evaluated: `numpy.load` parses it with `ast`, which fails now and then in threads of
    CPython 3.11. The size it says is compared with the size there is before any memory is taken.
    """
    size = {b"\x01\x00": 2, b"\x02\x00": 4}.get(data[6:8], 0)
    start = 8 + size + int.from_bytes(data[8 : 8 + size], "little")
    header = _HEADER.fullmatch(data[8 + size : start]) if data[:6] == b"\x93NUMPY" and size and start < 2**16 else None
    if header is None:
        raise ValueError("an array of an unknown kind")
    kind, width = header[2].decode(), int(header[3])
    shape = tuple(int(length) for length in header[5].replace(b" ", b"").split(b",") if length)
    n_bytes = len(data) - start
    size_said = math.prod(shape) * width * (4 if kind == "U" else 1)
    longest = max(n_bytes, PIECE)  # of an axis beside an axis of length 0
    fits = size_said == n_bytes and len(shape) <= MAX_DIMENSIONS and max(shape, default=0) <= longest
    if width not in _WIDTHS[kind] or not fits:
        raise ValueError("an array that does not have the size it says")
    cells = np.frombuffer(data, np.dtype(f"<{kind}{width}"), offset=start)
    if kind == "b":
        cells = cells.view(np.uint8) != 0
    elif kind == "U" and cells.size and int(cells.view("<u4").max()) > 0x10FFFF:
        raise ValueError("an array of texts that are none")
    return cells.reshape(shape, order="F" if header[4] == b"True" else "C").copy()


def npz_bytes(arrays: Mapping[str, np.ndarray], compress: bool = False) -> bytes:
    """The bytes of an NPZ file; unlike np.savez any key is allowed, and equal arrays give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for key, value in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asanyarray(value), allow_pickle=False)
            info = zipfile.ZipInfo(f"{key}.npy")
            info.compress_type = archive.compression
            archive.writestr(info, entry.getvalue())
    return buffer.getvalue()


def to_arrays(value: Any) -> dict[str, np.ndarray]:
    """The fields of a dataclass by name, for `npz_bytes`: arrays, numbers, texts, and further dataclasses of such.

    The fields of a dataclass within are named "outer.inner"; a field that is None is left out.
    """
    arrays: dict[str, np.ndarray] = {}
    for field in fields(value):
        part = getattr(value, field.name)
        if is_dataclass(part):
            arrays |= {f"{field.name}.{name}": array for name, array in to_arrays(part).items()}
        elif part is not None:
            arrays[field.name] = np.asarray(part)
    return arrays


def from_arrays(kind: type[T], arrays: Mapping[str, np.ndarray]) -> T:
    """The value of a dataclass whose `to_arrays` these are among; StoreError where one without default is absent."""
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and is_dataclass(hint):
            inner = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
            found[name] = from_arrays(hint, inner)
        elif name in arrays:
            found[name] = arrays[name] if np.ndarray in (hint, *get_args(hint)) else arrays[name].item()
    try:
        return kind(**found)
    except TypeError as error:
        raise StoreError(f"A stored {kind.__name__.lower()} is incomplete; restart the run.") from error


def storable(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with text names, and text instead of mixed kinds, which Parquet cannot hold.

    ValueError where two columns would have the same name.
    """
    import pandas as pd

    frame = frame.reset_index(drop=True)
    frame.columns = [str(column) for column in frame.columns]
    if not frame.columns.is_unique:
        raise ValueError("the table's column names must differ from each other; rename the repeated ones")
    for column in frame.columns:
        mixed = pd.api.types.is_object_dtype(frame[column]) and pd.api.types.infer_dtype(frame[column]) != "string"
        if mixed:
            frame[column] = frame[column].map(str, na_action="ignore")
    return frame
