"""Read the user's own pictures: a ZIP of PNG and JPEG files, an NPZ of arrays, or a table of pixels.

Nothing of a file is executed, nothing is unpacked to disk, and nothing grows beyond its limit before it is refused with
one sentence. Files are decoded by Pillow and kept as pixels alone: what else they held, such as EXIF, is gone.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from flowlab.formatting import count, plural, shortened
from flowlab.images.pixels import column_names, rows_of, shape_of_columns
from flowlab.images.shape import ImageShape
from flowlab.images.sources import grey
from flowlab.tables.as_text import is_workbook
from flowlab.tables.filetype import refuse_foreign
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.packed import contents_of, holds_tables

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MIN_PICTURES = 10
FILE, LABEL = "file", "label"
"""Columns of the table of pictures beside the pixels."""
SCALE_HINT = 'choose a size for them under "Read it differently"'
_SUFFIXES = (".png", ".jpg", ".jpeg")
_ENTRY = b"PK\x01\x02"
"""What each entry of a ZIP's table of contents begins with."""
_PICTURE_NAMES = ("images", "pictures", "x_train", "x", "data", "arr_0")
_LABEL_NAMES = ("labels", "label", "y_train", "y", "target", "class", "arr_1")


@dataclass(frozen=True)
class PictureLimits:
    """The most that is read.

    Attributes
    ----------
    bytes : size of the file
    unpacked : bytes of all members together
    members, depth : files in an archive, and folders around one of them
    pixels : of one picture before it is scaled
    values_each, values : pixels times channels of one picture, and of all
    """

    bytes: int = 250_000_000
    unpacked: int = 500_000_000
    members: int = 100_000
    depth: int = 8
    pixels: int = 25_000_000
    values_each: int = 4096
    values: int = 20_000_000


LIMITS = PictureLimits()
MOST_PIXELS = Limits(columns=LIMITS.values_each + 10)
"""Of a table of pixels, which may have more columns than others."""


@dataclass(frozen=True)
class PictureReport:
    """What was found in a file of pictures.

    Attributes
    ----------
    name, kind, n_bytes : of the file; kind is "ZIP", "NPZ", "table of pixels" or "one file"
    n_pictures, height, width, channels : of the pictures
    labels : their classes, if there are any
    changes : what was done, one sentence each
    """

    name: str
    kind: str
    n_bytes: int
    n_pictures: int
    height: int
    width: int
    channels: int
    labels: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The report as JSON text; `PictureReport.from_json` is the inverse."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PictureReport:
        """The report in the text of `to_json`. Raises ValueError for anything else."""
        try:
            fields = json.loads(text)
            return cls(**{**fields, "labels": tuple(fields["labels"]), "changes": tuple(fields["changes"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no report of pictures ({error})") from None

    def sentence(self) -> str:
        """Number, size and classes of the pictures in one line."""
        color = "grey" if self.channels == 1 else "colour"
        text = f"{plural(self.n_pictures, 'picture')} of {self.height} x {self.width} pixels, {color}"
        if self.labels:
            names = ", ".join(shortened(name) for name in self.labels[:6])
            text += f", {plural(len(self.labels), 'class', 'classes')}: {names}{', …' * (len(self.labels) > 6)}"
        return f"{text} · {self.kind}"


@dataclass(frozen=True, eq=False)
class PictureFile:
    """Pictures as read: (n, height, width, channels) uint8, the name of each, its class or "", and the report."""

    pixels: np.ndarray
    files: tuple[str, ...]
    labels: tuple[str, ...]
    report: PictureReport = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """The table that is kept: name, class where there are classes, and the pixels in [0, 1]."""
        shape = ImageShape(*self.pixels.shape[1:])
        frame = pd.DataFrame(rows_of(self.pixels), columns=list(column_names(shape)))
        if self.report.labels:
            frame.insert(0, LABEL, list(self.labels))
        frame.insert(0, FILE, list(self.files))
        return frame


def holds_pictures(data: bytes) -> bool:
    """Whether a file is a picture, or an archive and none of tables; it may turn out to hold no picture."""
    is_archive = data.startswith((PNG, JPEG, b"PK\x03\x04", b"PK\x05\x06"))
    return is_archive and not is_workbook(data) and not holds_tables(data)


def read_pictures(
    data: bytes,
    name: str = "",
    side: int = 0,
    as_grey: bool = False,
    limits: PictureLimits = LIMITS,
    to_learn: bool = True,
) -> PictureFile:
    """The pictures of a ZIP of PNG and JPEG files, whose folders are their classes, or of an NPZ.

    Parameters
    ----------
    data : the file's bytes
    name : the file's name, for the report
    side : pictures are cut to a square and scaled to so many pixels a side; 0 to leave them as they are
    as_grey : whether colours become grey
    limits : the most that is read
    to_learn : whether they are to be learned from, so that there must be ten, and not all equal; otherwise one will do,
        also as a file of its own

    Raises
    ------
    TableError
        For everything that cannot be read: one sentence with the cause and a next step.
    """
    if data.startswith((PNG, JPEG)) and not to_learn:
        alone = decode(data, name, side, limits)[None]
        return _picture_file(alone, [name], [""], name, "one file", len(data), side, as_grey, [], limits, False)
    if data.startswith((PNG, JPEG)):
        raise TableError(
            f"This is one picture; at least {MIN_PICTURES} are needed to learn from; pack them into a ZIP."
        )
    if len(data) > limits.bytes:
        raise TableError(f"The file is larger than {limits.bytes // 10**6} MB; pack fewer pictures.")
    if data.count(_ENTRY) > limits.members:
        raise TableError(f"The archive lists more than {count(limits.members)} files; pack fewer pictures.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # zipfile and struct have a dozen ways to say that bytes are no archive
        raise TableError("The zip archive is damaged or cut off; pack or download it again.") from error
    with archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if names and all(member.endswith(".npy") for member in names):
            return _of_arrays(archive, name, len(data), side, as_grey, limits, to_learn)
        members = _picture_members(archive, limits)
        if not members:
            refuse_foreign(data)  # an Excel workbook, or a packed table
            raise TableError("The archive holds no PNG or JPEG picture; pack pictures, or unpack it and choose a CSV.")
        if to_learn:
            _enough(len(members))
        pictures: list[np.ndarray] = []
        for info, content in zip(members, contents_of(archive, members, limits.unpacked, "pictures")):
            picture = decode(content, info.filename, side, limits)
            if pictures and picture.shape[:2] != pictures[0].shape[:2]:
                here, first = (f"{p.shape[0]} x {p.shape[1]}" for p in (picture, pictures[0]))
                raise TableError(
                    f"{_short(info.filename)} is {here} pixels and {_short(members[0].filename)} {first}: all need one "
                    f"size; {SCALE_HINT}."
                )
            if not pictures:
                _check_values(picture.shape, len(members), limits)
            pictures.append(picture)
        left_out = len(names) - len(members)
    if any(picture.shape[2] == 3 for picture in pictures):
        pictures = [picture if picture.shape[2] == 3 else picture.repeat(3, axis=2) for picture in pictures]
    changes = [f"{plural(left_out, 'file')} that are no PNG or JPEG picture were left out."] if left_out else []
    files, labels = _files_and_labels([info.filename for info in members])
    return _picture_file(
        np.stack(pictures), files, labels, name, "ZIP", len(data), side, as_grey, changes, limits, to_learn
    )


def pictures_of_table(frame: pd.DataFrame, name: str = "", n_bytes: int = 0, as_grey: bool = False) -> PictureFile:
    """The pictures of a table whose rows are pixels, from left to right and from top to bottom, channels last.

    A column that is named label, class, target or y, or holds texts, is the class; one named file the name. Pixels are
    whole numbers from 0 to 255, or numbers from 0 to 1. Raises TableError, one sentence, for other tables.
    """
    names = [str(column) for column in frame.columns]
    texts = [n for n, dtype in zip(names, frame.dtypes) if not pd.api.types.is_numeric_dtype(dtype) and n != FILE]
    label = next((n for n in names if n.lower() in _LABEL_NAMES), texts[0] if texts else "")
    pixels = [n for n in names if n not in (label, FILE)]
    if others := [n for n in texts if n != label]:
        raise TableError(
            f"The column {_short(others[0])!r} holds no pixels; keep the pixels and one column of classes."
        )
    shape = shape_of_columns(pixels) or _square(len(pixels))
    if shape is None:
        raise TableError(
            f"The table has {plural(len(pixels), 'column')} beside its class, which make no square picture in grey or "
            "colour; name them r0c0, r0c1 and so on, or choose it as a table."
        )
    values = _in_bytes(frame.loc[:, pixels].to_numpy(np.float64), "The table")
    files = [str(v) for v in frame[FILE]] if FILE in names else [f"row {i}" for i in range(len(frame))]
    labels = [_class_name(value) for value in frame[label]] if label else [""] * len(frame)
    found = shape.of(values)
    return _picture_file(found, files, labels, name, "table of pixels", n_bytes, 0, as_grey, [], LIMITS)


def decode(data: bytes, name: str, side: int = 0, limits: PictureLimits = LIMITS) -> np.ndarray:
    """One PNG or JPEG file as (height, width, 1 or 3) uint8, turned as its EXIF says, on white where it is transparent.

    Parameters
    ----------
    data : the file's bytes
    name : of the file, for the sentence
    side : see `read_pictures`

    Raises TableError, one sentence, for what is no such picture of 8 bits, is animated, damaged, or too large.
    """
    file = _short(name)
    if not data.startswith((PNG, JPEG)):
        raise TableError(f"{file} is not a PNG or JPEG picture, whatever its name says; save it as PNG.")
    if data.startswith(PNG) and data[24:25] == b"\x10":
        raise TableError(f"{file} has 16 bits a channel, and 8 are read here; save it with 8 bits.")
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        width = height = limits.pixels
    except Exception as error:  # Pillow has a dozen ways to say that bytes are no picture
        raise TableError(f"{file} is damaged or cut off; save or pack it again.") from error
    if width * height > limits.pixels:
        raise TableError(
            f"{file} unpacks to more than {limits.pixels // 10**6} million pixels and was not opened; make it smaller."
        )
    if data.startswith(PNG) and getattr(picture, "n_frames", 1) > 1:
        raise TableError(f"{file} is animated; save one of its pictures.")
    if picture.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise TableError(f"{file} is stored as {picture.mode}, not as grey or RGB of 8 bits; save it as RGB.")
    try:
        if side:
            picture.draft(None, (2 * side, 2 * side))  # JPEG files can be decoded smaller at once
        turned = ImageOps.exif_transpose(picture)
        if turned.mode in ("LA", "PA", "RGBA") or "transparency" in turned.info:
            drawn = turned.convert("RGBA")
            turned = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")
        turned = turned.convert("L" if turned.mode in ("1", "L") else "RGB")
        if side:
            turned = ImageOps.fit(turned, (side, side), Image.Resampling.BOX)
        pixels = np.asarray(turned, np.uint8).reshape(turned.height, turned.width, -1)
    except Exception as error:
        raise TableError(f"{file} is damaged or cut off; save or pack it again.") from error
    is_grey = pixels.shape[2] == 3 and bool((pixels == pixels[..., :1]).all())
    return pixels[..., :1] if is_grey else pixels


def _picture_members(archive: zipfile.ZipFile, limits: PictureLimits) -> list[zipfile.ZipInfo]:
    """The pictures of an archive, in the order of their names; TableError for paths that are none of a folder."""
    found = []
    for info in archive.infolist():
        path = info.filename.replace("\\", "/")
        parts = path.split("/")
        if path.startswith("/") or ".." in parts or ":" in parts[0]:
            raise TableError(
                f"The archive names a path that leads out of it ({_short(info.filename)}); pack the folder again."
            )
        if len(parts) > limits.depth + 1:
            raise TableError(f"The archive nests folders more than {limits.depth} deep; pack them flatter.")
        is_hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if not info.is_dir() and not is_hidden and path.lower().endswith(_SUFFIXES):
            if info.flag_bits & 1:
                raise TableError("The archive is locked with a password; pack it without one.")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise TableError("The archive is packed in an unusual way; pack it as an ordinary ZIP.")
            found.append(info)
    return sorted(found, key=lambda info: info.filename)


def _of_arrays(
    archive: zipfile.ZipFile,
    name: str,
    n_bytes: int,
    side: int,
    as_grey: bool,
    limits: PictureLimits,
    to_learn: bool,
) -> PictureFile:
    """The pictures of an NPZ: its array of three or four axes, or of two whose rows are square, and one of classes."""
    arrays: dict[str, np.ndarray] = {}
    members = archive.infolist()[:20]
    for info, content in zip(members, contents_of(archive, members, limits.unpacked, "pictures")):
        try:
            arrays[info.filename.removesuffix(".npy")] = np.load(io.BytesIO(content), allow_pickle=False)
        except Exception as error:  # objects, which only a pickle could hold, or a header that lies
            raise TableError(
                f"The array {_short(info.filename)} is damaged or holds objects, which are not opened; save numbers."
            ) from error
    ranked = sorted(arrays, key=lambda key: _place(key.lower(), _PICTURE_NAMES))
    chosen = next((key for key in ranked if arrays[key].ndim in (2, 3, 4) and arrays[key].dtype.kind in "uifb"), None)
    if chosen is None:
        raise TableError(
            "The NPZ holds no array of pictures; save one of shape (number, height, width) or with colours."
        )
    pictures = arrays[chosen]
    pixels = _as_pictures(pictures, limits)
    n = len(pixels)
    others = sorted((key for key in arrays if key != chosen), key=lambda key: _place(key.lower(), _LABEL_NAMES))
    label = next((key for key in others if arrays[key].ndim == 1 and len(arrays[key]) == n), None)
    labels = [""] * n if label is None else [_class_name(value) for value in arrays[label].tolist()]
    if side:
        resized = [ImageOps.fit(_image(p), (side, side), Image.Resampling.BOX) for p in pixels]
        pixels = np.stack([np.asarray(p, np.uint8).reshape(side, side, -1) for p in resized])
    files = [f"{chosen} {i}" for i in range(n)]
    return _picture_file(pixels, files, labels, name, "NPZ", n_bytes, side, as_grey, [], limits, to_learn)


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _as_pictures(array: np.ndarray, limits: PictureLimits) -> np.ndarray:
    """An array of pictures as (n, height, width, channels) uint8; TableError where it is none."""
    if array.size > limits.unpacked or not array.size:
        raise TableError("The array of pictures is empty or too large; save fewer of them.")
    values = _in_bytes(array, "The array")
    if values.ndim == 2:
        shape = _square(values.shape[1])
        if shape is None:
            raise TableError(
                f"The array has rows of {count(values.shape[1])} numbers, which make no square picture in grey or "
                "colour; save it as (number, height, width)."
            )
        return shape.of(values)
    if values.ndim == 3:
        return values[..., None]
    if values.shape[3] not in (1, 3) and values.shape[1] in (1, 3):
        values = np.moveaxis(values, 1, 3)
    if values.shape[3] not in (1, 3):
        raise TableError(
            f"The array of shape {values.shape} has {values.shape[3]} channels; save one for grey or three for colour."
        )
    return np.ascontiguousarray(values)


def _in_bytes(values: np.ndarray, what: str) -> np.ndarray:
    """Numbers from 0 to 255, or from 0 to 1, as uint8 of the same shape; TableError for others."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    if not np.isfinite(values).all():
        raise TableError(f"{what} has missing or infinite pixels; fill or remove those pictures.")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        bits = "16 bits a channel" if low >= 0 and high < 2**16 else "other numbers"
        raise TableError(f"{what} holds {bits} ({low:g} to {high:g}); pixels are 0 to 255, or 0 to 1.")
    is_share = values.dtype.kind == "f" and high <= 1
    return np.rint(values * 255.0 if is_share else values).astype(np.uint8)


def _square(n_values: int) -> ImageShape | None:
    """The square picture of so many values, grey or else in colour; None where there is none."""
    for channels in (1, 3):
        side = math.isqrt(n_values // channels)
        if side > 1 and channels * side * side == n_values:
            return ImageShape(side, side, channels)
    return None


def _picture_file(
    pixels: np.ndarray,
    files: Sequence[str],
    labels: Sequence[str],
    name: str,
    kind: str,
    n_bytes: int,
    side: int,
    as_grey: bool,
    changes: list[str],
    limits: PictureLimits,
    to_learn: bool = True,
) -> PictureFile:
    """What every way of reading ends in; TableError for pictures that nothing can be learned from."""
    if to_learn:
        _enough(len(pixels))
    if pixels.shape[3] == 3 and bool((pixels == pixels[..., :1]).all()):
        pixels = pixels[..., :1]
    elif pixels.shape[3] == 3 and as_grey:
        pixels = grey(pixels)
        changes.append("Colours became grey, by their luminance.")
    if side:
        changes.append(f"Pictures were cut to a square and scaled to {side} x {side} pixels.")
    _check_values(pixels.shape[1:], len(pixels), limits)
    if to_learn and bool((pixels == pixels[:1]).all()):
        raise TableError(f"All {count(len(pixels))} pictures are equal, so there is nothing to learn; choose others.")
    names = tuple(sorted(set(labels))) if any(labels) else ()
    if len(names) > 1000:
        raise TableError(f"There are {count(len(names))} classes; put the pictures into fewer folders.")
    names = names if len(names) > 1 else ()
    n, height, width, channels = pixels.shape
    report = PictureReport(name, kind, n_bytes, n, height, width, channels, names, tuple(changes))
    return PictureFile(np.ascontiguousarray(pixels), tuple(files), tuple(labels), report)


def _enough(n: int) -> None:
    if n < MIN_PICTURES:
        raise TableError(
            f"The file holds {plural(n, 'picture')}; at least {MIN_PICTURES} are needed to train, check and test on."
        )


def _check_values(shape: tuple[int, ...], n: int, limits: PictureLimits) -> None:
    height, width, channels = shape
    each = height * width * channels
    if each > limits.values_each:
        raise TableError(
            f"Pictures of {height} x {width} pixels are larger than what is learned here, {count(limits.values_each)} "
            f"numbers each; {SCALE_HINT}."
        )
    if each * n > limits.values:
        raise TableError(
            f"{count(n)} pictures of {height} x {width} pixels are more than {limits.values // 10**6} million numbers; "
            f"keep fewer of them, or {SCALE_HINT}."
        )


def _files_and_labels(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """The path of each file, and the first folder in which the paths differ: its class; "" where all lie in one."""
    parts = [PurePosixPath(path.replace("\\", "/")).parts for path in paths]
    folders = [p[:-1] for p in parts]
    common = 0
    while all(len(f) > common for f in folders) and len({f[common] for f in folders}) == 1:
        common += 1
    labels = [f[common] if len(f) > common else "" for f in folders]
    if any(labels):
        labels = [label or "(no folder)" for label in labels]
    return ["/".join(p[common:]) for p in parts], labels


def _class_name(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)[:60]


def _place(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else len(names)


def _short(name: str) -> str:
    return shortened(name.replace("\n", " "), 60)
