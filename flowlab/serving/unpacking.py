"""Unpacking files that anybody may have made: zip members, JSON and arrays, each within a budget of bytes and numbers.

Nothing is executed, and nothing grows beyond its budget before it is refused: members are read in pieces, the text of
JSON and the header of an array are judged before they are parsed.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from flowlab.store.arrays import array_of

PIECE = 2**20
MAX_BYTES = 256 * 2**20
"""Unpacked bytes of an archive, all members together."""
MAX_ARRAYS = 10_000
MAX_JSON_BYTES = 32 * 2**20
MAX_JSON_VALUES = 2_000_000
MAX_JSON_DEPTH = 32
MAX_TEXT = 4096
"""Characters of one text in an array."""

_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""One text, closed or cut off by the end, so that each byte is looked at once."""
_BRACKETS = re.compile(rb"[\[\]{}]")


class DetectorFileError(ValueError):
    """The file is no detector that can be used here; the text is a sentence and a next step."""


def unpack(data: bytes, is_wanted: Callable[[set[str]], bool], max_bytes: int = MAX_BYTES) -> dict[str, bytes]:
    """The members of a zip archive by name.

    Parameters
    ----------
    data : the archive
    is_wanted : whether the members' names are those of a file that can be used; asked before anything is unpacked
    max_bytes : of all members together, unpacked; what the archive says of its sizes is not believed

    Raises
    ------
    DetectorFileError : for anything but an archive of plain or deflated members with those names
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            names = {info.filename for info in infos}
            if len(names) != len(infos) or not is_wanted(names):
                raise DetectorFileError("This is not a detector file; choose one that FlowLab saved.")
            members, left = {}, max_bytes
            for info in infos:
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise DetectorFileError("The detector file is packed in an unknown way; choose another one.")
                members[info.filename] = _read(archive, info, left)
                left -= len(members[info.filename])
            return members
    except DetectorFileError:
        raise
    except Exception as error:  # zipfile, zlib and struct have a dozen ways to say that bytes are no archive
        raise DetectorFileError("This is not a detector file; choose one that FlowLab saved.") from error


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    pieces, left = [], max_bytes
    with archive.open(info) as member:
        while piece := member.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise DetectorFileError(
                    f"The detector file unpacks to more than {MAX_BYTES >> 20} MB; choose a smaller one."
                )
            pieces.append(piece)
    return b"".join(pieces)


def read_json(text: bytes) -> Any:
    """What JSON text holds; DetectorFileError where it is too long, too deep, or holds infinite numbers or NaN.

    >>> read_json(b'{"a": [1, 2.5, "x"]}')
    {'a': [1, 2.5, 'x']}
    """
    if len(text) > MAX_JSON_BYTES:
        raise DetectorFileError("The description in the detector file is too long; save it again.")
    structure = _TEXTS.sub(b"0", text)
    depth = deepest = 0
    n_values = structure.count(b",") + structure.count(b":")
    for bracket in _BRACKETS.finditer(structure):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest, n_values = max(deepest, depth), n_values + 1
        if deepest > MAX_JSON_DEPTH or n_values > MAX_JSON_VALUES:
            raise DetectorFileError("The description in the detector file is too deep or too long; save it again.")
    if n_values > MAX_JSON_VALUES:
        raise DetectorFileError("The description in the detector file is too deep or too long; save it again.")
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no character
        return value
    except (ValueError, RecursionError) as error:
        raise DetectorFileError("The detector file is damaged inside; save it again.") from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no finite number")
    return number


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file: numbers without NaN, truth values and short texts, nothing else.

    Infinite numbers pass: the leaves of a tree hold them.
    """
    members = unpack(data, lambda names: len(names) <= MAX_ARRAYS and all(name.endswith(".npy") for name in names))
    return {name.removesuffix(".npy"): _array(member) for name, member in members.items()}


def _array(data: bytes) -> np.ndarray:
    try:
        cells = array_of(data)
    except (ValueError, KeyError) as error:
        raise DetectorFileError("The detector file holds arrays of an unknown kind or size; save it again.") from error
    if cells.dtype.kind == "U" and cells.dtype.itemsize > 4 * MAX_TEXT:
        raise DetectorFileError("The detector file holds a text that is too long; save it again.")
    if cells.dtype.kind == "f" and np.isnan(cells).any():
        raise DetectorFileError("The detector file holds numbers that are none (NaN); train the detector again.")
    return cells
