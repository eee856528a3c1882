"""Arrays to NPZ bytes and back, and tables fit for Parquet; nothing is pickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowlab.store.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd


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
