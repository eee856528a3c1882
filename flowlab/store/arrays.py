"""Arrays and dataclasses of arrays to NPZ bytes and back, and tables fit for Parquet; nothing is pickled."""

from __future__ import annotations

import io
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


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an NPZ file by name; StoreError if it is missing or damaged."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path.name} of run {path.parent.name} cannot be read; restart the run.") from error


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
