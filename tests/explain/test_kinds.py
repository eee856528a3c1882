"""Kinds of anomaly: rows that are strange in the same way stand together, every row is counted once."""

import numpy as np

from flowlab.explain import Reference, RowReasons, TraitCounts, kind_of_rows, kinds_of, reasons_of_rows
from flowlab.explain import kinds as kinds_module
from flowlab.models.classical.density import Gaussian

NAMES = ["pressure", "flow", "speed", "load"]


def planted():
    """A Gaussian of four columns; 40 rows with high pressure and low flow, 15 with high load, and their reasons."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 4))
    rows = rng.normal(size=(55, 4)) / 2
    rows[:40] += [7, -7, 0, 0]
    rows[40:] += [0, 0, 0, 7]
    return rows, reasons_of_rows(Gaussian().fit(X), rows, Reference(X, NAMES))


def test_two_planted_kinds_are_found_with_their_rows_and_a_typical_one():
    rows, reasons = planted()
    found = kinds_of(TraitCounts.of(range(55), rows[:, 0], reasons))
    assert [(kind.name, kind.n_rows) for kind in found[:2]] == [("pressure high, flow low", 40), ("load high", 15)]
    of_row = kind_of_rows(found, dict(enumerate(reasons)))
    assert {of_row[i] for i in range(40)} == {found[0].name} and {of_row[i] for i in range(40, 55)} == {found[1].name}
    assert of_row[found[0].typical.row] == found[0].name
    assert f"row {found[1].typical.row}: load" in found[1].sentence and "40 rows: pressure high" in found[0].sentence


def test_counts_of_blocks_add_up_to_those_of_the_file():
    rows, reasons = planted()
    whole, parts = TraitCounts.of(range(55), rows[:, 0], reasons), TraitCounts()
    for start in range(0, 55, 7):
        block = slice(start, start + 7)
        parts.add(TraitCounts.of(range(55)[block], rows[block, 0], reasons[block]))
    assert kinds_of(parts) == kinds_of(whole)


def test_every_row_is_of_one_kind_however_many_there_are(monkeypatch):
    reasons = [RowReasons((), "x")] * 3
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 4))
    strange = rng.normal(size=(120, 4)) * 5
    reasons += reasons_of_rows(Gaussian().fit(X), strange, Reference(X, NAMES))
    for most_sets in (5000, 6):
        monkeypatch.setattr(kinds_module, "MAX_SETS", most_sets)
        found = kinds_of(TraitCounts.of(range(123), np.zeros(123), reasons), most=5)
        assert len(found) <= 5 and sum(kind.n_rows for kind in found) == 123
        names = set(kind_of_rows(found, dict(enumerate(reasons))).values())
        assert names <= {kind.name for kind in found}
    assert kinds_of(TraitCounts()) == []
