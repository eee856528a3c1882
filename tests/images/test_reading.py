"""The user's own pictures: what is read, and everything else refused in one sentence within bounded memory."""

import io
import re
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.images.reading import PictureLimits, PictureReport, decode, pictures_of_table, read_pictures
from flowlab.images.shape import ImageShape
from flowlab.images.uploaded import make_uploaded
from flowlab.records import RunSpec, Spec
from flowlab.store.runs import RunStore
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

RNG = np.random.default_rng(0)


def png(pixels: np.ndarray, kind: str = "PNG", **settings) -> bytes:
    """A picture file of pixels (height, width) or (height, width, 3 or 4)."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **settings)
    return out.getvalue()


def some(n: int = 12, shape: tuple = (8, 6)) -> list[np.ndarray]:
    return [RNG.integers(0, 256, shape, dtype=np.uint8) for _ in range(n)]


def packed(members: dict[str, bytes], **settings) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **settings) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def folder(pictures: list[np.ndarray], name: str = "p") -> dict[str, bytes]:
    return {f"{name}/{i:03d}.png": png(picture) for i, picture in enumerate(pictures)}


def npz(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def test_a_zip_of_folders_gives_the_pictures_and_their_classes():
    cats, dogs = some(), some()
    data = packed(
        folder(cats, "all/cats") | folder(dogs, "all/dogs") | {"all/readme.txt": b"x", "__MACOSX/a.png": b"x"}
    )
    found = read_pictures(data, "pets.zip")
    assert np.array_equal(found.pixels[..., 0], np.stack(cats + dogs))
    assert found.labels == ("cats",) * 12 + ("dogs",) * 12 and found.files[0] == "cats/000.png"
    assert found.report.sentence() == "24 pictures of 8 x 6 pixels, grey, 2 classes: cats, dogs · ZIP"
    assert found.report.changes == ("2 files that are no PNG or JPEG picture were left out.",)
    assert PictureReport.from_json(found.report.to_json()) == found.report
    frame = found.frame()
    data = make_uploaded(frame, name="pets.zip", anomaly_values="dogs")
    assert data.image_shape == ImageShape(8, 6) and data.class_names == ("cats", "dogs") and data.y.sum() == 12
    assert np.array_equal(np.rint(data.pictures(data.X) * 255), found.pixels)
    assert not data.y[data.rows(Part.TRAIN)].any()
    with pytest.raises(TableError, match="No row of 'label' is an anomaly"):
        make_uploaded(frame, anomaly_values="fish")


def test_one_folder_is_no_class_and_jpeg_and_colours_are_read():
    pictures = some(11, (8, 8, 3))
    members = {f"{i}.png": png(picture) for i, picture in enumerate(pictures)} | {"x.JPG": png(pictures[0], "JPEG")}
    found = read_pictures(packed(members))
    assert found.pixels.shape == (12, 8, 8, 3) and not found.report.labels and "label" not in found.frame()
    as_grey = read_pictures(packed(members), as_grey=True)
    assert as_grey.pixels.shape == (12, 8, 8, 1) and "luminance" in as_grey.report.changes[0]
    scaled = read_pictures(packed(members | {"wide.png": png(some(1, (20, 40, 3))[0])}), side=4)
    assert scaled.pixels.shape == (13, 4, 4, 3)
    grey_as_rgb = [np.repeat(p[..., None], 3, axis=2) for p in some()]
    assert read_pictures(packed(folder(grey_as_rgb))).pixels.shape[3] == 1


def test_exif_turns_a_picture_and_goes():
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right
    exif[0x010E] = "at home"
    turned = decode(png(pixels, "JPEG", exif=exif, quality=95), "x.jpg")
    assert turned.shape == (16, 8, 1) and turned[:6].mean() > 250 and turned[10:].mean() < 5
    report = read_pictures(packed({f"{i}.jpg": png(p, "JPEG", exif=exif) for i, p in enumerate(some())})).report
    assert "at home" not in report.to_json()


def test_what_is_transparent_lies_on_white_and_palettes_are_colours():
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (decode(png(clear), "x.png") == 255).all()
    palette = Image.fromarray(some(1, (4, 4, 3))[0]).quantize(8)
    out = io.BytesIO()
    palette.save(out, "PNG")
    assert np.array_equal(decode(out.getvalue(), "x.png"), np.asarray(palette.convert("RGB")))
    out = io.BytesIO()
    Image.fromarray(some(1)[0] > 127).save(out, "PNG")
    assert set(np.unique(decode(out.getvalue(), "x.png"))) == {0, 255}


@pytest.mark.parametrize(
    "array, shape",
    [
        (RNG.integers(0, 256, (12, 5, 7), dtype=np.uint8), (5, 7, 1)),
        (RNG.random((12, 5, 7, 3)).astype(np.float32), (5, 7, 3)),
        (RNG.integers(0, 256, (12, 3, 5, 7)), (5, 7, 3)),
        (RNG.integers(0, 256, (12, 64)), (8, 8, 1)),
        (RNG.integers(0, 256, (12, 48)), (4, 4, 3)),
        (RNG.random((12, 4, 4)) < 0.5, (4, 4, 1)),
    ],
)
def test_arrays_of_an_npz_are_pictures(array, shape):
    found = read_pictures(npz(images=array, labels=np.arange(12) % 3, other=np.zeros(3)), "a.npz")
    assert found.pixels.shape[1:] == shape and found.report.labels == ("0", "1", "2") and found.report.kind == "NPZ"
    values = np.moveaxis(array, 1, -1) if array.shape[1:2] == (3,) else array
    scale = 255 if array.dtype.kind in "fb" else 1
    assert np.abs(found.pixels.ravel() - values.ravel().astype(float) * scale).max() <= 0.5


def test_a_table_of_pixels_is_pictures():
    X = RNG.integers(0, 256, (12, 64))
    lines = ["label," + ",".join(f"pixel{i}" for i in range(64))]
    lines += [f"{i % 2}," + ",".join(map(str, row)) for i, row in enumerate(X)]
    found = pictures_of_table(read_table("\n".join(lines).encode()).frame, "x.csv")
    assert np.array_equal(found.pixels.reshape(12, 64), X) and found.report.labels == ("0", "1")
    again = pictures_of_table(found.frame())
    assert np.array_equal(again.pixels, found.pixels) and again.labels == found.labels, "what is kept is read again"


def test_uploaded_pictures_are_made_from_the_store_by_their_link(tmp_path):
    store = RunStore(tmp_path)
    found = read_pictures(packed(folder(some(), "a") | folder(some(), "b")), "ab.zip")
    digest = store.put_table(found.frame(), found.report.to_json())
    spec = RunSpec(Spec("pictures", {"digest": digest, "name": "ab.zip", "anomaly_values": "b"}), Spec("gaussian"))
    data = catalog.dataset_of(spec, store.get_table)
    assert data.image_shape == ImageShape(8, 6) and data.name == "ab.zip" and data.y.sum() == 12
    with pytest.raises(ValueError, match="names no uploaded pictures"):
        catalog.dataset_of(RunSpec(Spec("pictures"), Spec("gaussian")), store.get_table)
    table = RunSpec(Spec("pictures", {"digest": store.put_table(read_table(b"a,b\n1,2\n").frame)}), Spec("gaussian"))
    with pytest.raises(ValueError, match="holds no pictures"):
        catalog.dataset_of(table, store.get_table)


def animated() -> bytes:
    out = io.BytesIO()
    frames = [Image.fromarray(p) for p in some(3)]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    return out.getvalue()


def cmyk() -> bytes:
    out = io.BytesIO()
    Image.fromarray(some(1, (8, 6, 4))[0], "CMYK").save(out, "JPEG")
    return out.getvalue()


def deep_png() -> bytes:
    return png(RNG.integers(0, 2**16, (8, 6), dtype=np.uint16))


def bomb(side: int = 60_000) -> bytes:
    """A PNG that says it is 60,000 x 60,000 pixels large, in some hundred bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 100_000_000, zip=True)
    return png(some(1)[0], pnginfo=info)


GOOD = folder(some())
BAD_PICTURES = {
    "another size": (png(some(1, (9, 6))[0]), "bad.png is 9 x 6 pixels and .* 8 x 6: all need one size; choose a size"),
    "animated": (animated(), "bad.png is animated; save one"),
    "CMYK": (cmyk(), "bad.png is stored as CMYK"),
    "16 bits": (deep_png(), "bad.png has 16 bits a channel"),
    "truncated": (png(RNG.integers(0, 256, (200, 200), dtype=np.uint8))[:9000], "bad.png is damaged or cut off"),
    "truncated header": (png(some(1)[0])[:20], "bad.png is damaged or cut off"),
    "truncated JPEG": (png(RNG.integers(0, 256, (64, 64), dtype=np.uint8), "JPEG")[:900], "bad.png is damaged"),
    "bomb": (bomb(), "bad.png unpacks to more than 25 million pixels"),
    "smaller bomb": (bomb(8000), "bad.png unpacks to more than 25 million pixels"),
    "bomb of text": (text_bomb(), "bad.png is damaged or cut off"),
    "another format": (b"GIF89a" + bytes(100), "bad.png is not a PNG or JPEG picture"),
    "empty": (b"", "bad.png is not a PNG or JPEG picture"),
}


@pytest.mark.parametrize("content, sentence", BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_one_bad_picture_is_named_in_one_sentence_within_bounded_memory(content, sentence):
    data = packed(GOOD | {"p/bad.png": content}, compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(TableError, match=sentence) as refused:
        read_pictures(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert re.fullmatch(r"[^\n]{20,250}[.]", str(refused.value))


def many_entries(n: int) -> bytes:
    """An archive that lists one picture n times."""
    one = packed({"a.png": GOOD["p/000.png"]})
    end = one.rindex(b"PK\x05\x06")
    start = one.index(b"PK\x01\x02")
    entry = one[start:end]
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, n & 0xFFFF, n & 0xFFFF, n * len(entry), start, 0)
    return one[:start] + entry * n + tail


def locked() -> bytes:
    data = bytearray(packed(GOOD))
    for i in [m.start() for m in re.finditer(b"PK\x01\x02", bytes(data))]:
        data[i + 8] |= 1
    return bytes(data)


BAD_FILES = {
    "climbing path": (packed(GOOD | {"../../etc/x.png": GOOD["p/000.png"]}), "leads out of it"),
    "climbing with backslashes": (packed(GOOD | {"..\\x.png": b""}), "leads out of it"),
    "absolute path": (packed(GOOD | {"/etc/x.png": b""}), "leads out of it"),
    "a thousand nested folders": (packed(GOOD | {"d/" * 1000 + "x.png": b""}), "nests folders more than 8 deep"),
    "one picture in an archive": (packed({"a.png": GOOD["p/000.png"]}), "holds 1 picture; at least 10"),
    "one picture": (GOOD["p/000.png"], "This is one picture; at least 10"),
    "all equal": (packed({f"{i}.png": GOOD["p/000.png"] for i in range(12)}), "All 12 pictures are equal"),
    "no picture": (packed({"notes.txt": b"x"}), "is a zip archive"),
    "cut off": (packed(GOOD)[:-200], "damaged or cut off"),
    "no archive": (b"PK\x03\x04" + bytes(200), "damaged or cut off"),
    "too many entries": (many_entries(100_001), "lists more than 100.000 files"),
    "a password": (locked(), "locked with a password"),
    "large pictures": (packed(folder(some(10, (100, 100)))), "100 x 100 pixels are larger than what is learned here"),
    "objects": (npz(images=np.array([{}, 1], dtype=object)), "holds objects, which are not opened"),
    "no pictures in an NPZ": (npz(x=np.zeros(5)), "holds no array of pictures"),
    "16 bits in an NPZ": (npz(x=np.full((12, 4, 4), 60_000, np.uint16)), "16 bits a channel"),
    "four channels": (npz(x=np.zeros((12, 4, 4, 4), np.uint8)), "4 channels"),
    "no square": (npz(x=np.zeros((12, 10), np.uint8)), "make no square picture"),
    "missing pixels": (npz(x=np.full((12, 4, 4), np.nan)), "missing or infinite pixels"),
    "an array of zeros that unpacks": (npz(x=np.zeros((120_000, 8, 8), np.int64)), "unpacks to more than 50 MB"),
}


@pytest.mark.parametrize("data, sentence", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(data, sentence):
    with pytest.raises(TableError, match=sentence) as refused:
        read_pictures(data, limits=PictureLimits(unpacked=50_000_000))
    assert re.fullmatch(r"[^\n]{20,250}[.]", str(refused.value))


def test_a_damaged_member_is_named():
    data = bytearray(packed(GOOD))
    at = data.index(b"IDAT") + 8
    data[at : at + 4] = bytes(4)
    with pytest.raises(TableError, match=r"p/000.png is damaged in the archive"):
        read_pictures(bytes(data))


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("a,b\n" + "1,2\n" * 12, "make no square picture"),
        ("a,b,c,d\n" + "1,2,3,900\n" * 12, "pixels are 0 to 255"),
        ("a,b,c,d\n" + "1,2,3,\n" * 12, "missing or infinite"),
        ("a,b,c,d,e,f\n" + "1,2,3,4,u,v\n" * 12, "holds no pixels"),
        ("a,b,c,d\n" + "1,2,3,4\n" * 12, "are equal"),
    ],
)
def test_a_table_that_is_no_pictures_is_refused(text, sentence):
    with pytest.raises(TableError, match=sentence):
        pictures_of_table(read_table(text.encode()).frame)


def test_totals_are_limited():
    data = packed(GOOD)
    with pytest.raises(TableError, match="file is larger than 0 MB"):
        read_pictures(data, limits=PictureLimits(bytes=100))
    with pytest.raises(TableError, match="more than 0 million numbers"):
        read_pictures(data, limits=PictureLimits(values=500))
