"""Detector files that somebody made to do harm, or that a disk damaged: one error type, and no memory for them."""

import copy
import hashlib
import io
import json
import random
import struct
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from flowlab import catalog
from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.scored_table import ScoredTable
from flowlab.jobs.confined import confined
from flowlab.jobs.lanes import JobError
from flowlab.records import Spec
from flowlab.serving.bundle import DetectorFileError, describe_detector, from_bytes, make_detector, to_bytes
from flowlab.serving.scoring import score_file
from flowlab.serving.unpacking import read_arrays, read_json
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

ORDERS = Path(__file__).parents[1] / "stories" / "written_by_0_1_0" / "orders.csv"
ROWS = b"".join(ORDERS.read_bytes().splitlines(keepends=True)[:12])
FLOATS = "{'descr': '<f8', 'fortran_order': False, 'shape': "
ODD = (None, True, -1, 0, 0.5, 1e308, 10**30, "", "x", "\ud800", "9" * 5000, [], [[]], [None], {}, {"a": []})


def _saved() -> bytes:
    """A small detector of the orders."""
    spec = Spec("detector", {"n_flows": 1, "n_steps": 60, "n_layers": 2, "hidden_features": 16})
    dataset, _ = make_table_dataset(read_table(ORDERS).frame, label="fraud", name="orders.csv", learner="scorer")
    model = catalog.make_model(spec, 0, dataset).fit(dataset.fitting_rows())
    scored = ScoredTable.of(dataset, model.anomaly_score(dataset.X))
    return to_bytes(make_detector(spec, 0, model.get_state(), scored, scored.choose("f_beta")))


SAVED = _saved()


def _members(data=SAVED):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _sealed(members, compression=zipfile.ZIP_DEFLATED):
    """A file whose digests are right, as whoever makes one to do harm sees to."""
    manifest = json.loads(members["manifest.json"])
    manifest["sha256"] = {name: hashlib.sha256(members[name]).hexdigest() for name in manifest["sha256"]}
    members = {**members, "manifest.json": json.dumps(manifest).encode()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return out.getvalue()


def _npz(arrays, compression=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    return out.getvalue()


def _is_refused(data) -> bool:
    """Whether the file is refused by its one error; where it is not, rows can be scored with it or are refused."""
    try:
        describe_detector(data)
    except DetectorFileError as error:
        assert str(error).endswith(".") and "\n" not in str(error) and len(str(error)) < 300
        return True
    try:
        score_file(data, io.BytesIO(ROWS), io.BytesIO())
    except (DetectorFileError, TableError):
        return True
    return False


def test_the_file_itself_is_described():
    found = describe_detector(SAVED)
    assert (found["model"], found["data"], found["training_rows"]) == ("Detector", "orders.csv", 187)
    assert json.loads(json.dumps(found)) == found
    assert not _is_refused(_sealed(_members()))


def test_flipped_bytes_are_refused_or_change_nothing():
    rng = random.Random(0)
    description = describe_detector(SAVED)
    n_refused = 0
    for _ in range(300):
        data = bytearray(SAVED)
        for _ in range(rng.choice((1, 1, 4))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            assert from_bytes(bytes(data)).columns == tuple(description["columns"])
        except DetectorFileError:
            n_refused += 1
    assert n_refused > 200


def test_flipped_bytes_under_right_digests_are_refused_or_score():
    rng = random.Random(1)
    n_refused = 0
    for i in range(120):
        members = _members()
        name = ("detector.json", "model.npz", "statistics.npz")[i % 3]
        member = bytearray(members[name])
        member[rng.randrange(len(member))] ^= 1 << rng.randrange(8)
        n_refused += _is_refused(_sealed({**members, name: bytes(member)}, zipfile.ZIP_STORED))
    assert n_refused > 60


def _places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from _places(below, (*path, key))


def _put(value, path, odd):
    if not path:
        return odd
    value = copy.deepcopy(value)
    place = value
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = odd
    return value


def test_odd_values_anywhere_in_the_description_are_refused_or_score():
    members = _members()
    description = json.loads(members["detector.json"])
    encoder = json.loads(description["encoder"])
    cases = [("", path, odd) for path in _places(description) for odd in ODD]
    cases += [("encoder", path, odd) for path in _places(encoder) for odd in ODD]
    chosen = random.Random(2).sample(cases, 250)
    n_refused = 0
    for where, path, odd in chosen:
        if where:
            changed = {**description, "encoder": json.dumps(_put(encoder, path, odd))}
        else:
            changed = _put(description, path, odd)
        n_refused += _is_refused(_sealed({**members, "detector.json": json.dumps(changed).encode()}))
    assert n_refused > 150


@pytest.mark.parametrize("path", [("seed",), ("model",), ("columns",), ("threshold",), ("trained_on",), ("facts",)])
def test_a_description_that_lacks_something_is_refused(path):
    members = _members()
    description = json.loads(members["detector.json"])
    del description[path[0]]
    assert _is_refused(_sealed({**members, "detector.json": json.dumps(description).encode()}))


ARRAYS = {
    "nan": lambda a: np.full(a.shape, np.nan),
    "infinite": lambda a: np.full(a.shape, np.inf),
    "negative": lambda a: np.full(a.shape, -1, a.dtype if a.dtype.kind in "if" else np.int64),
    "huge": lambda a: np.full(a.shape, 2**62, np.int64),
    "text": lambda a: np.full(a.shape, "x"),
    "objects": lambda a: np.full(a.shape, None, object),
    "complex": lambda a: np.zeros(a.shape, complex),
    "empty": lambda a: np.zeros(0),
    "scalar": lambda a: np.zeros(()),
    "deeper": lambda a: np.zeros((1, *a.shape)),
    "longer": lambda a: np.zeros((1000, 7)),
}


@pytest.mark.parametrize("member", ["model.npz", "statistics.npz"])
def test_odd_arrays_are_refused_or_score(member):
    members = _members()
    arrays = read_arrays(members[member])
    n_refused = 0
    for name, array in arrays.items():
        n_refused += _is_refused(_sealed({**members, member: _npz({k: v for k, v in arrays.items() if k != name})}))
        for make in random.Random(name).sample(list(ARRAYS.values()), 5):
            changed = {**arrays, name: make(array)}
            n_refused += _is_refused(_sealed({**members, member: _npz(changed)}))
    assert n_refused > 3 * len(arrays)


@pytest.mark.parametrize("kind", ["nan", "objects", "complex"])
def test_arrays_that_hold_no_numbers_are_always_refused(kind):
    with pytest.raises(DetectorFileError):
        read_arrays(_npz({"a": ARRAYS[kind](np.zeros(3))}))


@pytest.mark.parametrize(
    "array",
    [np.array(3), np.arange(6.0).reshape(2, 3), np.array(["a", "bé"]), np.array([True, False]), np.zeros((0, 3))],
)
def test_arrays_come_back_as_they_were(array):
    read = read_arrays(_npz({"a": array, "f": np.asarray(array, order="F")}))
    for found in read.values():
        assert found.dtype == array.dtype and np.array_equal(found, array) and found.flags.writeable


def test_members_that_changed_places_are_refused():
    members = _members()
    swapped = {**members, "model.npz": members["statistics.npz"], "statistics.npz": members["model.npz"]}
    assert _is_refused(_sealed(swapped))
    assert _is_refused(_sealed({**members, "model.npz": members["detector.json"]}))
    assert _is_refused(_sealed({**members, "detector.json": members["model.npz"]}))


@lru_cache
def _bomb():
    """A few kB that unpack to 0.4 GB: arrays of zeros, deflated, in a member that is deflated again."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        zeros = io.BytesIO()
        np.lib.format.write_array(zeros, np.zeros(5_000_000))
        for i in range(10):
            archive.writestr(f"a{i}.npy", zeros.getvalue())
    return _sealed({**_members(), "model.npz": out.getvalue()})


def _lie():
    """The archive says of a member of 300 MB that it has 10 bytes."""
    data = bytearray(_sealed({**_members(), "detector.json": bytes(300 * 2**20)}))
    place = data.rindex(b"PK\x01\x02", 0, data.index(b"detector.json", data.index(b"PK\x01\x02")))
    data[place + 24 : place + 28] = struct.pack("<I", 10)
    return bytes(data)


def _array_member(header):
    text = header.encode().ljust(118) + b"\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64))
    return _sealed({**_members(), "model.npz": out.getvalue()})


def _described_as(text):
    return _sealed({**_members(), "detector.json": text})


HOSTILE = {
    "nested bomb": _bomb,
    "size that lies": _lie,
    "shape without cells": lambda: _array_member(FLOATS + "(99999999999,), }"),
    "shape of no end": lambda: _array_member(FLOATS + "(0, 99999999999999), }"),
    "deep header": lambda: _array_member("(" * 100),
    "objects": lambda: _array_member("{'descr': '|O', 'fortran_order': False, 'shape': (8,), }"),
    "deep description": lambda: _described_as(b"[" * 100_000),
    "long description": lambda: _described_as(b"[" + b"[]," * 2_500_000 + b"0]"),
    "open text": lambda: _described_as(b'"' + b'\\"' * 2_000_000),
    "infinite seed": lambda: _described_as(_members()["detector.json"].replace(b'"seed": 0', b'"seed": 1e999')),
    "many digits": lambda: _described_as(b"1" * 100_000),
    "endless walk": lambda: _lags(10**9),
    "bzip2": lambda: _sealed(_members(), zipfile.ZIP_BZIP2),
    "many members": lambda: _sealed({**_members(), **{f"m{i}": b"" for i in range(5000)}}),
}


def _lags(n):
    description = json.loads(_members()["detector.json"])
    encoder = json.loads(description["encoder"])
    encoder["params"]["lags"] = n
    return _described_as(json.dumps({**description, "encoder": json.dumps(encoder)}).encode())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name):
    with pytest.raises(DetectorFileError):
        describe_detector(HOSTILE[name]())


def test_a_bomb_of_a_few_kilobytes_is_refused_within_little_memory():
    """The process may use 0.5 GB more than its imports do."""
    bomb = _bomb()
    assert len(bomb) < 60_000
    with pytest.raises(DetectorFileError, match="unpacks to more than 256 MB"):
        confined(describe_detector, bomb, max_addresses=3 * 2**29)


def test_a_process_for_files_of_unknown_origin_is_ended_when_it_takes_too_long_or_too_much():
    with pytest.raises(JobError, match="longer than 1 s"):
        confined(describe_detector, SAVED, seconds=1)
    with pytest.raises(JobError, match="memory"):
        confined(bytearray, 4 * 2**30)


def test_json_is_read_within_its_budgets():
    assert read_json(json.dumps({"a": [1, "[\\"]}).encode()) == {"a": [1, "[\\"]}
    for text in (b"[1e999]", b"[NaN]", b"[-Infinity]", b'["\\ud800"]', b"[" * 40 + b"]" * 40, b"[1", b"\xff"):
        with pytest.raises(DetectorFileError):
            read_json(text)
