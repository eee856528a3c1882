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

PIECE = 2**20
MAX_BYTES = 256 * 2**20
"""Unpacked bytes of an archive, all members together."""
MAX_ARRAYS = 10_000
MAX_JSON_BYTES = 32 * 2**20
MAX_JSON_VALUES = 2_000_000
MAX_JSON_DEPTH = 32
MAX_DIMENSIONS = 8
MAX_TEXT = 4096
"""Characters of one text in an array."""

_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""One text, closed or cut off by the end, so that each byte is looked at once."""
_BRACKETS = re.compile(rb"[\[\]{}]")
_HEADER = re.compile(
    rb"\{'descr': '([<|])([biufU])([1-9]\d{0,5})', 'fortran_order': (True|False), 'shape': \(([\d, ]{0,200})\), \} *\n"
)


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
    size = {b"\x01\x00": 2, b"\x02\x00": 4}.get(data[6:8], 0)
    start = 8 + size + int.from_bytes(data[8 : 8 + size], "little")
    header = _HEADER.fullmatch(data[8 + size : start]) if data[:6] == b"\x93NUMPY" and size and start < 2**16 else None
    if header is None:
        raise DetectorFileError("The detector file holds arrays of an unknown kind; save it again.")
    kind, width = header[2].decode(), int(header[3])
    shape = tuple(int(length) for length in header[5].replace(b" ", b"").split(b",") if length)
    is_known = width in {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}.get(kind, range(MAX_TEXT + 1))
    n_bytes = len(data) - start
    size_said = math.prod(shape) * width * (4 if kind == "U" else 1)
    longest = max(n_bytes, PIECE)  # of an axis beside an axis of length 0
    if not is_known or len(shape) > MAX_DIMENSIONS or size_said != n_bytes or max(shape, default=0) > longest:
        raise DetectorFileError("The arrays in the detector file do not have the size they say; save it again.")
    cells = np.frombuffer(data, np.dtype(f"<{kind}{width}"), offset=start)
    if kind == "b":
        cells = cells.view(np.uint8) != 0
    elif kind == "U" and cells.size and int(cells.view("<u4").max()) > 0x10FFFF:
        raise DetectorFileError("The detector file holds texts that are none; save it again.")
    elif kind == "f" and np.isnan(cells).any():
        raise DetectorFileError("The detector file holds numbers that are none (NaN); train the detector again.")
    return cells.reshape(shape, order="F" if header[4] == b"True" else "C").copy()
