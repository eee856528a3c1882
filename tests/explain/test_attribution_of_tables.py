"""Reasons for the rows of an uploaded table speak of its columns and values, never of the features made of them."""

import numpy as np
import pandas as pd
import pytest

from flowlab import views
from flowlab.datasets.dataset import Dataset
from flowlab.datasets.from_table import make_table_dataset
from flowlab.encoding.encoder import TableEncoder
from flowlab.encoding.roles import ColumnRole
from flowlab.encoding.sources import table_sources
from flowlab.explain import Reference, anomaly_scores, explain, repair
from flowlab.explain.typical_values import told
from flowlab.formatting import fixed
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.classical.density import Gaussian
from flowlab.models.flows.families import AffineCouplingFlow

HEAT = {"lathe": 65.0, "mill": 50.0, "press": 40.0, "saw": 28.0}


def machines(n_rows: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Temperature follows from the machine, vibration from the temperature, the check comes 5 to 15 days later."""
    rng = np.random.default_rng(seed)
    machine = rng.choice(list(HEAT), n_rows, p=[0.3, 0.3, 0.2, 0.2])
    temperature = pd.Series(machine).map(HEAT).to_numpy() + rng.normal(0, 2, n_rows)
    pressure = (2 + temperature / 20 + rng.normal(0, 0.1, n_rows)).round(3)
    pressure[rng.random(n_rows) < 0.02] = np.nan
    made = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n_rows), unit="D")
    return pd.DataFrame(
        {
            "machine": machine,
            "temperature": temperature.round(1),
            "load": np.exp(rng.normal(0, 2.6, n_rows)) * rng.choice([10, 300], n_rows, p=[0.99, 0.01]),
            "colour": np.where(rng.random(n_rows) < 0.005, None, rng.choice(["red", "blue"], n_rows)),
            "pressure": pressure,
            "checked": made + pd.to_timedelta(rng.integers(5, 15, n_rows), unit="D"),
        }
    )


def _corrupt(frame: pd.DataFrame, row: int, column: str, rng: np.random.Generator) -> None:
    if column == "machine":
        wrong = [name for name in HEAT if abs(HEAT[name] - HEAT[frame.loc[row, "machine"]]) > 20]
        frame.loc[row, "machine"] = rng.choice(wrong)
    elif column == "temperature":
        frame.loc[row, "temperature"] += rng.choice([-40.0, 40.0])
    elif column == "load":
        frame.loc[row, "load"] = rng.choice([-1.0, 1.0]) * 90_000.0
    elif column == "checked":
        frame.loc[row, "checked"] += pd.Timedelta(days=int(rng.choice([-700, 700])))
    else:
        frame.loc[row, column] = None


FAULTS = ("machine", "temperature", "load", "colour", "pressure", "checked")


@pytest.fixture(scope="module")
def plant():
    """A table with ten faults of each kind in its last rows, and a flow of the others: frame, dataset, flow, where."""
    frame, rng = machines(), np.random.default_rng(1)
    where = {}
    for i, column in enumerate(np.repeat(FAULTS, 10)):
        where[len(frame) - 1 - i] = str(column)
        _corrupt(frame, len(frame) - 1 - i, str(column), rng)
    dataset, _ = make_table_dataset(frame, label="(none)", time="(none)")
    sound = dataset.X[: len(frame) - len(where)]
    return frame, dataset, AffineCouplingFlow(n_steps=500, scale_map="contract").fit(sound), where


def test_the_corrupted_column_comes_first_with_the_users_own_value(plant):
    frame, dataset, flow, where = plant
    reference = Reference(dataset.X[: len(frame) - len(where)], dataset.sources())
    firsts = {row: explain(flow, dataset.X[row], reference, n_reasons=1).reasons[0] for row in where}
    assert np.mean([firsts[row].name == column for row, column in where.items()]) >= 0.9
    for row, column in where.items():
        reason, value = firsts[row], frame.loc[row, column]
        if reason.name != column:
            continue
        shown = {"machine": str, "temperature": "{:.1f}".format, "load": lambda number: fixed(number, 0)}.get(
            column, str
        )(value)
        if column == "checked":
            shown = f"{value:%Y-%m-%d}"
        assert reason.sentence.startswith(f"{column} is missing, usually" if pd.isna(value) else f"{column} {shown} is")


def test_the_usual_of_a_category_is_counted_and_that_of_a_date_is_dates(plant):
    frame, dataset, flow, where = plant
    reference = Reference(dataset.X[: len(frame) - len(where)], dataset.sources())
    rows = {column: row for row, column in where.items()}
    reasons = {c: {r.name: r for r in explain(flow, dataset.X[row], reference).reasons}[c] for c, row in rows.items()}
    machine = frame.loc[rows["machine"]]
    assert f"for temperature {machine['temperature']:.1f}" in reasons["machine"].sentence
    assert "of 24 similar rows)" in reasons["machine"].sentence and "of 24)" in reasons["machine"].usual
    assert not reasons["machine"].is_usual
    assert reasons["colour"].usual.startswith(("red (", "blue ("))
    low, high = (pd.Timestamp(text) for text in reasons["checked"].usual.split(" to "))
    assert reasons["checked"].low == low and reasons["checked"].high == high and low < high
    assert "earlier" in reasons["checked"].sentence or "later" in reasons["checked"].sentence
    assert 0 < reasons["load"].high < 1e4 and reasons["load"].value == pytest.approx(frame.loc[rows["load"], "load"])
    assert all(len(end.partition(".")[2]) == 1 for end in reasons["temperature"].usual.split(" to "))


def test_a_repair_is_something_that_can_be_done_in_the_file(plant):
    frame, dataset, flow, where = plant
    reference = Reference(dataset.X[: len(frame) - len(where)], dataset.sources())
    for column in FAULTS:
        rows = [row for row in where if where[row] == column]
        row = max(rows, key=lambda r: anomaly_scores(flow, dataset.X[[r]])[0])
        score = anomaly_scores(flow, dataset.X[[row]])[0]
        mended = repair(flow, dataset.X[row], reference, score - 0.2)
        assert mended.succeeded and column in [edit.name for edit in mended.edits]
        edit = next(edit for edit in mended.edits if edit.name == column)
        assert edit.old != edit.new and f"{column} from {edit.old} to {edit.new}" in mended.sentence
        if column == "machine":
            assert edit.old == frame.loc[row, "machine"] and edit.new in HEAT
        read = dataset.table(mended.row[None]).iloc[0]
        assert edit.new == told(dataset.sources()[edit.column], read[column])


def test_columns_read_as_the_user_wrote_them(plant):
    frame, dataset, _, _ = plant
    for source in dataset.sources():
        column, written = source.read(dataset.X), frame[source.name]
        assert column.isna().equals(written.isna())
        if source.kind == "number":
            assert np.allclose(column, written, equal_nan=True)
        else:
            assert (column == written)[written.notna()].all()
    assert dataset.table(dataset.X[:5])["machine"].tolist() == frame["machine"][:5].tolist()


def test_an_autoencoder_adds_up_the_errors_of_a_columns_features(plant):
    _, dataset, _, where = plant
    model = Autoencoder(n_steps=200).fit(dataset.X)
    sources = dataset.sources()
    row = next(iter(where))
    found = explain(model, dataset.X[row], Reference(dataset.X[:900], sources))
    errors = model.feature_errors(dataset.X[np.r_[row, :900]])
    machine = errors[:, sources[0].features].sum(axis=1)
    contribution = next(reason.contribution for reason in found.reasons if reason.name == "machine")
    assert found.method == "reconstruction" and sources[0].name == "machine"
    assert contribution == pytest.approx(machine[0] - np.median(machine[1:]))


def sentences(model, dataset, row):
    return {reason.name: reason.sentence for reason in views.reasons(model, dataset, row).reasons}


def test_a_cell_that_was_filled_silently_is_told_as_missing():
    frame = machines(600)
    row = int(frame["pressure"].idxmax())  # a temperature around the median cannot be had at this pressure
    frame.loc[row, "temperature"] = np.nan
    dataset, encoder = make_table_dataset(frame, label="(none)", time="(none)")
    assert "temperature is missing" not in encoder.get_feature_names_out()
    model = Gaussian().fit(dataset.X)
    words, others = (sentences(model, dataset, r).values() for r in (row, row - 1))
    assert any(text.startswith("temperature is missing, usually") for text in words)
    assert any("for temperature missing" in text for text in words)
    assert not any("temperature is missing" in text or "temperature missing" in text for text in others)
    score = float(anomaly_scores(model, dataset.X[[row]])[0])
    mended = views.repaired(model, dataset, row, score - 1.0)
    assert "temperature from missing to" in mended.sentence and [edit.old for edit in mended.edits] == ["missing"]


def test_a_context_reads_as_its_level():
    frame = machines(600)
    frame["colour"] = frame["colour"].fillna("red")
    position = {name: i for i, name in enumerate(frame.columns, start=1)}
    dataset, _ = make_table_dataset(frame, label="(none)", time="(none)", roles=f"context={position['machine']}")
    assert dataset.context is not None and dataset.sources()[0].stop == 1
    found = views.reasons(Gaussian().fit(dataset.X), dataset, 3)
    assert {reason.name: reason.told for reason in found.reasons}["machine"] == frame.loc[3, "machine"]

    X = np.column_stack([np.random.default_rng(0).normal(size=50), np.arange(50) % 2])
    plain = Dataset(X, ("x", "kind"), context=1, levels=("low", "high"))
    assert plain.table(X[:3])["kind"].tolist() == ["low", "high", "low"]
    found = views.reasons(Gaussian().fit(X), plain, 1)
    assert {reason.name: reason.told for reason in found.reasons}["kind"] == "high"


def test_of_many_levels_one_is_told_as_rare_only_if_it_is():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"user": [f"u{i}" for i in rng.integers(0, 60, 800)], "x": rng.normal(size=800)})
    frame.loc[3, "user"] = "stranger"
    frame.loc[4, "x"] = 0.1
    dataset, _ = make_table_dataset(frame, label="(none)", time="(none)", roles="category=1", seed=1)
    assert dataset.split[3] == 0 and dataset.split[4] == 0
    assert dataset.columns[0] == "user (rarity)"
    model = Gaussian().fit(dataset.X)
    rare, common = (sentences(model, dataset, r) for r in (3, 4))
    assert rare["user"].startswith("user stranger is rarer than usual: u")
    common_user = frame["user"].value_counts().index[0]
    row = int(frame.index[frame["user"] == common_user][0])
    words = sentences(model, dataset, row)["user"]
    assert words.startswith((f"user {common_user} is no rarer than usual: u", f"user {common_user} is usual"))
    assert "(rarity)" not in " ".join([*rare.values(), *common.values()])


def test_lags_and_the_clock_are_told():
    rng = np.random.default_rng(2)
    hours = pd.date_range("2024-03-04", periods=900, freq="h")
    frame = pd.DataFrame({"time": hours, "kind": rng.choice(["a", "b", "c"], 900), "x": hours.hour + rng.random(900)})
    encoder = TableEncoder(
        [ColumnRole("time", "time"), ColumnRole("kind", "category"), ColumnRole("x", "feature")], clock=True, lags=1
    ).fit(frame)
    X, sources = encoder.transform(frame), table_sources(encoder)
    assert [source.name for source in sources] == [
        "kind", "x", "time", "kind, 1 before", "x, 1 before", "time, 1 before",
    ]  # fmt: skip
    assert [source.stop for source in sources][-1] == X.shape[1] == len(encoder.get_feature_names_out())
    assert sources[3].read(X)[1:].tolist() == frame["kind"][:-1].tolist()
    clock = sources[2]
    assert np.allclose(clock.read(X), np.arange(900) % 168)
    assert told(clock, clock.read(X[170:171]).iloc[0]) == "Monday 02:00"

    x = X[36].copy()  # Tuesday noon, at the clock of Sunday night
    x[clock.features] = X[6 * 24 + 1][clock.features]
    found = explain(Gaussian().fit(X), x, Reference(X, sources))
    reason = next(reason for reason in found.reasons if reason.name == "time")
    assert "time Sunday 01:00 is unusual" in reason.sentence and "of 24 similar rows)" in reason.sentence


def test_the_encoder_changes_neither_digest_nor_contributions_of_single_features():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    dataset, encoder = make_table_dataset(frame, label="(none)", time="(none)")
    bare = Dataset(dataset.X, dataset.columns, split=dataset.split)
    assert dataset.digest() == bare.digest() and len(encoder.columns_) == 3
    model = Gaussian().fit(dataset.X)
    one, other = (views.reasons(model, d, 5).reasons for d in (dataset, bare))
    assert [(r.name, r.contribution) for r in one] == [(r.name, r.contribution) for r in other]
