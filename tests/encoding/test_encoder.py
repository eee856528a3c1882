"""What the encoder promises: finite rows, the user's table back, a row's encoding from that row alone, no spikes."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from flowlab.datasets.from_table import NONE, anomaly_values_of, choose_roles, make_table_dataset
from flowlab.encoding.encoder import LEARNERS, TableEncoder
from flowlab.encoding.roles import ColumnRole, missing_to_text, propose_roles, roles_from_text, roles_to_text
from flowlab.tables.limits import TableError


def mixed_frame(n_rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(0, 3, n_rows),
            "count": rng.poisson(4, n_rows),
            "rounded": rng.normal(size=n_rows).round(1),
            "three": rng.choice([0.1, 2.7, 9.3], n_rows),
            "thirds": rng.choice([1 / 3, 2 / 3, np.pi], n_rows),
            "spike": np.where(rng.random(n_rows) < 0.5, 0.0, rng.normal(size=n_rows)),
            "holes": np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(size=n_rows)),
            "city": pd.Series(rng.choice(["Bonn", "Rome", "Kyiv"], n_rows), dtype="str"),
            "shop": pd.Series([f"s{i}" for i in rng.zipf(1.4, n_rows) % 60], dtype="str"),
            "member": rng.random(n_rows) < 0.3,
            "when": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n_rows), unit="s"),
            "always": 7.5,
        }
    )
    frame.loc[rng.random(n_rows) < 0.1, "city"] = None
    frame["celsius"] = 20 + 5 * rng.normal(size=n_rows)
    frame["fahrenheit"] = 32 + 1.8 * frame["celsius"]
    frame["city code"] = frame["city"].map({"Bonn": "B", "Rome": "R", "Kyiv": "K"}).astype("str")
    return frame


FEATURES = [ColumnRole(name, "feature") for name in mixed_frame(50)]


def assert_same_table(decoded: pd.DataFrame, frame: pd.DataFrame) -> None:
    for name in decoded:
        before, after = frame[name].reset_index(drop=True), decoded[name]
        assert after.dtype == before.dtype, name
        assert after.isna().equals(before.isna()), name
        if pd.api.types.is_float_dtype(before.dtype):
            np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-9 * before.abs().max(), err_msg=name)
        else:
            assert after.equals(before), name


def spread(encoder: TableEncoder, frame: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """The rows as a density trains on them."""
    return encoder.cells(frame, seed).spread(encoder.transform(frame), np.arange(len(frame)))


def test_decode_undoes_encode_on_a_mixed_table():
    frame = mixed_frame()
    encoder = TableEncoder(FEATURES, missing="indicator").fit(frame)
    X = encoder.transform(frame)
    assert np.isfinite(X).all() and X.dtype == np.float64
    assert X.shape[1] == len(encoder.get_feature_names_out()) == len(encoder.sources_)
    decoded = encoder.inverse_transform(X)
    assert list(decoded) == list(frame)
    assert_same_table(decoded, frame)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_digits, load_iris, load_diabetes])
def test_decode_undoes_encode_on_bundled_tables(load):
    frame = load(as_frame=True).frame
    dataset, encoder = make_table_dataset(frame)
    assert np.isfinite(dataset.X).all()
    assert_same_table(encoder.inverse_transform(dataset.X, drawn=False), frame)
    fitted = dataset.rows("train")
    assert_same_table(encoder.inverse_transform(dataset.fitting_rows()), frame.iloc[fitted])


def test_state_is_json_and_gives_the_same_encoder():
    frame = mixed_frame()
    encoder = TableEncoder(FEATURES, lags=2, missing="indicator").fit(frame)
    again = TableEncoder.from_json(json.dumps(json.loads(encoder.to_json())))
    assert np.array_equal(again.transform(frame), encoder.transform(frame))
    assert again.to_json() == encoder.to_json()
    assert list(again.get_feature_names_out()) == list(encoder.get_feature_names_out())
    for text in ("{}", '{"params": {"x": 1}}', "[]"):
        with pytest.raises(ValueError, match="not a saved encoder"):
            TableEncoder.from_json(text)


def test_encoding_of_a_row_depends_on_that_row_alone():
    frame = mixed_frame()
    encoder = TableEncoder(FEATURES).fit(frame)
    whole = encoder.transform(frame)
    assert np.array_equal(encoder.transform(frame.iloc[100:103]), whole[100:103])
    assert np.array_equal(encoder.transform(frame.iloc[::-1]), whole[::-1])
    same = pd.concat([frame.iloc[[7]]] * 50, ignore_index=True)
    assert (encoder.transform(same) == whole[7]).all()


def test_repeated_values_fill_their_cells_evenly():
    frame = pd.DataFrame({"k": [1, 2, 5] * 2000, "x": np.linspace(0, 1, 6000)})
    encoder = TableEncoder().fit(frame)
    X = spread(encoder, frame)
    assert len(np.unique(X[:, 0])) == 6000
    assert np.array_equal(spread(encoder, frame), X) and not np.array_equal(spread(encoder, frame, seed=1), X)
    noise = np.sort(X[:, 0] - frame["k"])
    assert np.abs(noise - (np.arange(6000) + 0.5) / 6000 + 0.5).max() < 0.03  # Kolmogorov's distance to uniform
    assert abs(np.corrcoef(noise, frame["x"])[0, 1]) < 1.0


@pytest.mark.parametrize("n_levels", [2, 3, 12, 13, 200])
def test_categories_have_no_spikes_and_come_back(n_levels: int):
    rng = np.random.default_rng(n_levels)
    weights = 1 / np.arange(1, n_levels + 1)
    texts = pd.Series(rng.choice([f"v{i}" for i in range(n_levels)], 3000, p=weights / weights.sum()), dtype="str")
    frame = pd.DataFrame({"c": texts, "x": rng.normal(size=3000)})
    encoder = TableEncoder([ColumnRole("c", "category"), ColumnRole("x", "feature")]).fit(frame)
    X = encoder.transform(frame)
    assert encoder.inverse_transform(X)["c"].equals(texts)
    X = spread(encoder, frame)
    assert encoder.inverse_transform(X)["c"].equals(texts)
    for column in X.T:
        assert len(np.unique(column)) == 3000
    assert X.shape[1] == 1 + {2: 1, 3: 3, 12: 12}.get(n_levels, 1)


def test_a_rarer_level_lies_further_out_and_an_unseen_one_outside():
    frame = pd.DataFrame({"c": [f"v{i}" for i in range(40) for _ in range(41 - i)]})
    encoder = TableEncoder([ColumnRole("c", "category")]).fit(frame)
    means = pd.Series(encoder.transform(frame)[:, 0]).groupby(frame["c"]).mean()
    assert means["v0"] < means["v20"] < means["v39"]
    unseen = encoder.transform(pd.DataFrame({"c": ["new", None]}))
    assert (unseen > encoder.transform(frame).max()).all()


def test_constants_and_copies_are_left_out_in_words_and_come_back():
    frame = mixed_frame()
    encoder = TableEncoder(FEATURES).fit(frame)
    notes = " ".join(encoder.notes_)
    assert "always is 7.5 in every row and was left out." in notes
    assert "fahrenheit follows exactly from celsius and was left out." in notes
    assert "city code" in encoder.copies_
    features = set(encoder.sources_)
    assert not {"always", "fahrenheit", "city code"} & features
    rank = np.linalg.matrix_rank(np.cov(spread(encoder, frame).T))
    assert rank == len(encoder.sources_)


def test_a_scorer_judges_numbers_that_follow_from_others_as_they_are():
    frame = mixed_frame()
    encoder = TableEncoder(FEATURES, learner="scorer").fit(frame)
    assert "fahrenheit follows exactly from celsius." in encoder.notes_
    assert "fahrenheit" in encoder.sources_ and not {"always", "city code"} & set(encoder.sources_)
    X = encoder.transform(frame)
    back = encoder.inverse_transform(X)
    np.testing.assert_allclose(back["fahrenheit"], frame["fahrenheit"])
    broken = frame.assign(fahrenheit=frame["fahrenheit"] + 10.0 * (np.arange(len(frame)) == 3))
    assert (encoder.transform(broken) != X).any(axis=1).nonzero()[0].tolist() == [3]
    assert any(
        "fahrenheit used to follow exactly from celsius; not in 1 row." in str(s) for s in encoder.unfamiliar(broken)
    )


def test_heavy_tails_are_squashed_and_samples_stay_in_range():
    frame = mixed_frame(5000)
    encoder = TableEncoder(FEATURES).fit(frame)
    X = encoder.transform(frame)
    amount = X[:, encoder.sources_.index("amount")]
    assert np.ptp(amount) < 20 < np.ptp(frame["amount"]) / frame["amount"].std()
    wild = encoder.inverse_transform(X + 100.0 * np.random.default_rng(0).normal(size=X.shape))
    for name in ("amount", "count", "rounded"):
        assert wild[name].between(frame[name].min(), frame[name].max()).all()
    assert wild["count"].dtype == frame["count"].dtype
    assert set(wild["city"].dropna()) <= set(frame["city"].dropna())


def test_clock_and_lags():
    time = pd.date_range("2025-01-01", periods=100, freq="h")
    frame = pd.DataFrame({"t": time, "v": np.arange(100.0) ** 1.5})
    encoder = TableEncoder(lags=3, clock=True).fit(frame)
    X = encoder.transform(frame.iloc[::-1])[::-1]  # rows are taken in order of time, whatever their order in the table
    names = list(encoder.get_feature_names_out())
    v, v3 = X[:, names.index("v")], X[:, names.index("v, 3 before")]
    assert np.array_equal(v3[3:], v[:-3]) and (v3[:3] == v[0]).all()
    np.testing.assert_allclose(X[6, names.index("hour (sine)")], 1.0)
    assert encoder.inverse_transform(X)["v"].to_numpy() == pytest.approx(frame["v"])


def test_a_missing_time_and_holes_that_go_together():
    frame = pd.DataFrame({"t": pd.date_range("2025-01-01", periods=50, freq="h"), "a": np.arange(50.0) ** 0.5})
    frame.loc[3, "t"] = pd.NaT
    frame.loc[10:20, "a"] = np.nan
    frame["b"] = frame["a"] ** 3
    encoder = TableEncoder(clock=True).fit(frame)
    X = encoder.transform(frame)
    assert np.isfinite(X).all() and list(encoder.sources_) == ["a", "a", "b", "t", "t", "t", "t"]
    assert_same_table(encoder.inverse_transform(X), frame)


def test_a_new_file_lacking_a_column_or_holding_texts_is_refused():
    frame = mixed_frame()
    encoder = TableEncoder(FEATURES).fit(frame)
    with pytest.raises(TableError, match="'amount'"):
        encoder.transform(frame.drop(columns="amount"))
    with pytest.raises(TableError, match="held numbers"):
        encoder.transform(frame.assign(amount="much"))
    assert np.isfinite(encoder.transform(frame.assign(amount=np.inf, three=np.nan))).all()


def test_what_is_unfamiliar_in_a_new_file_is_said():
    frame = mixed_frame()
    encoder = TableEncoder(FEATURES).fit(frame)
    assert encoder.unfamiliar(frame) == []
    changed = frame.assign(always=[8.0] * 3 + [7.5] * 397, city=["Oslo"] * 2 + ["Bonn"] * 398, fahrenheit=1.0)
    text = " ".join(map(str, encoder.unfamiliar(changed)))
    assert "always" in text and "3 rows" in text and "Oslo" in text and "fahrenheit" in text


@pytest.mark.parametrize(
    ("frame", "arguments", "words"),
    [
        (pd.DataFrame({"x": [1.0]}), {}, "1 row;"),
        (pd.DataFrame({"x": [2.0] * 50, "y": [np.nan] * 50}), {}, "No column is left"),
        (pd.DataFrame({"t": [f"text {i}" for i in range(60)]}), {}, "No column is left"),
        (pd.DataFrame({"x": np.arange(60) ** 0.5, "c": ["a"] * 60}), {"label": "c"}, "'a' in every row"),
        (
            pd.DataFrame({"x": np.arange(60) ** 0.5, "c": ["a", "b"] * 30}),
            {"label": "c", "anomaly_values": "z"},
            "No row",
        ),
        (pd.DataFrame({"x": np.arange(60) ** 0.5}), {"split": "chronological"}, "needs a time column"),
        (pd.DataFrame({"x": np.arange(60) ** 0.5}), {"fractions": "90/20/0"}, "70/15/15"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_one_sentence(frame, arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        make_table_dataset(frame, **arguments)
    assert "\n" not in str(caught.value)


def test_infinities_and_holes_are_said_and_survived():
    x = [np.inf, -np.inf, *np.arange(98.0) ** 0.5]
    frame = pd.DataFrame({"x": x, "h": [np.nan] * 60 + list(np.arange(40) ** 0.5)})
    dataset, encoder = make_table_dataset(frame)
    assert np.isfinite(dataset.X).all()
    assert any("2 infinite values" in note for note in encoder.notes_)


def test_uploaded_table_becomes_a_dataset():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(1000),
            "when": pd.date_range("2025-01-01", periods=1000, freq="min"),
            "x": rng.normal(size=1000),
            "kind": pd.Series(np.where(np.arange(1000) % 50 == 0, "fraud", "ok"), dtype="str"),
        }
    )
    dataset, _ = make_table_dataset(frame, label="kind", name="orders")
    assert dataset.columns == ("x",) and dataset.y.sum() == 20 and dataset.name == "orders"
    assert (np.diff(dataset.split[np.argsort(dataset.time)]) >= 0).all()
    assert dataset.train_on == "normal" and not dataset.y[dataset.rows("train")].any()
    everything, _ = make_table_dataset(frame, label="kind", train_on="all", split="random", fractions="50/25/25")
    assert len(everything.rows("train")) == 500 and everything.y[everything.rows("train")].sum() == 10
    unlabelled, _ = make_table_dataset(frame, label=NONE, time=NONE)
    assert unlabelled.y is None and unlabelled.time is None
    assert make_table_dataset(frame, label="kind")[0].digest() == dataset.digest()


def test_roles_are_proposed_with_reasons_and_travel_as_little_text():
    frame = mixed_frame().assign(id=range(400), target=([0] * 39 + [1]) * 10, note=[f"n{i}" for i in range(400)])
    proposed = propose_roles(frame)
    found = {role.name: (role.role, role.reason) for role in proposed}
    assert found["always"] == ("ignore", "constant")
    assert found["id"] == ("identifier", "counts the rows")
    assert found["note"] == ("identifier", "all values differ: looks like an identifier")
    assert found["target"][0] == "label" and found["when"][0] == "time" and found["city"][0] == "category"
    rare = pd.DataFrame({"x": np.arange(40.0), "odd": [0] * 38 + [1] * 2})
    assert propose_roles(rare)[1].reason.startswith("0/1 and rare")
    assert roles_to_text(proposed, proposed) == ""
    changed = tuple(
        ColumnRole(role.name, "ignore" if i in (0, 1, 2, 7) else role.role) for i, role in enumerate(proposed)
    )
    text = roles_to_text(changed, proposed)
    assert text == "ignore=1-3,8"
    again, problems = roles_from_text(text, proposed)
    assert [role.role for role in again] == [role.role for role in changed] and not problems
    for nonsense in ("<script>", "ignore=999999", "king=1", "ignore=1-", "ignore=0"):
        assert roles_from_text(nonsense, proposed)[1]


def test_anomaly_values_are_what_is_not_normal():
    assert anomaly_values_of(pd.Series([0, 0, 1, 2])) == ["1", "2"]
    assert anomaly_values_of(pd.Series([1, 1, 1, -1])) == ["-1"]
    assert anomaly_values_of(pd.Series(["attack", "attack", "normal"], dtype="str")) == ["attack"]


COLUMNS = {
    "float": st.floats(-1e9, 1e9, allow_nan=False, width=32, allow_subnormal=False),
    "int": st.integers(-(10**9), 10**9),
    "few": st.sampled_from([0.0, 1.0, 2.5]),
    "bool": st.booleans(),
    "text": st.text("abc=+<>é", min_size=1, max_size=3),
    "time": st.datetimes(pd.Timestamp(1990, 1, 1), pd.Timestamp(2050, 1, 1)).map(lambda t: t.replace(microsecond=0)),
}


@st.composite
def random_frames(draw) -> pd.DataFrame:
    n_rows = draw(st.integers(3, 40))
    columns = {}
    for position, kind in enumerate(draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=6))):
        cells = draw(st.lists(COLUMNS[kind], min_size=n_rows, max_size=n_rows))
        if kind in ("float", "few", "text") and draw(st.booleans()):
            holes = draw(st.sets(st.integers(0, n_rows - 1), max_size=n_rows - 1))
            cells = [None if i in holes else cell for i, cell in enumerate(cells)]
        dtype = {"int": "int64", "bool": bool, "text": "str", "time": "datetime64[ns]"}.get(kind, float)
        columns[f"{kind} {position}"] = pd.Series(cells, dtype=dtype)
    return pd.DataFrame(columns)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame=random_frames(), seed=st.integers(0, 5), learner=st.sampled_from(LEARNERS))
def test_any_frame_is_encoded_finite_and_restored(frame: pd.DataFrame, seed: int, learner: str):
    roles = [ColumnRole(name, "feature") for name in frame]
    try:
        encoder = TableEncoder(roles, missing="indicator", learner=learner).fit(frame)
    except TableError:
        assert all(frame[name].nunique() <= 1 for name in frame)
        return
    X = encoder.transform(frame)
    assert np.isfinite(X).all()
    decoded = TableEncoder.from_json(encoder.to_json()).inverse_transform(X)
    assert_same_table(decoded, frame)
    cells = encoder.cells(frame, seed)
    if cells is not None:
        assert_same_table(encoder.inverse_transform(cells.spread(X, np.arange(len(frame)))), frame)


def with_role(frame: pd.DataFrame, name: str, role: str) -> tuple[ColumnRole, ...]:
    return tuple(ColumnRole(r.name, role) if r.name == name else r for r in propose_roles(frame))


@pytest.mark.parametrize("name", ["city", "member", "three"])
def test_a_context_keeps_the_numbers_of_its_levels_and_comes_back(name):
    frame = mixed_frame()
    encoder = TableEncoder(with_role(frame, name, "context")).fit(frame)
    X = encoder.transform(frame)
    codes = X[:, encoder.context_]
    assert set(codes) == set(range(len(encoder.levels_))) and encoder.get_feature_names_out()[encoder.context_] == name
    again = TableEncoder.from_json(encoder.to_json())
    assert again.context_ == encoder.context_ and again.levels_ == encoder.levels_
    assert_same_table(again.inverse_transform(X)[[name]], frame)
    assert any(note.startswith(f"{name} is the context") for note in encoder.notes_)


def test_a_level_that_was_not_there_stands_beyond_the_others():
    frame = mixed_frame()
    encoder = TableEncoder(with_role(frame, "city", "context")).fit(frame)
    later = frame.assign(city="Oslo")
    assert (encoder.transform(later)[:, encoder.context_] == len(encoder.levels_)).all()
    assert any("city has new values" in str(note) for note in encoder.unfamiliar(later))


def test_a_context_of_too_many_levels_is_refused_with_a_way_out():
    frame = mixed_frame().assign(machine=[f"m{i % 150}" for i in range(400)])
    with pytest.raises(
        TableError, match="'machine' has 150 different values, more than 100; give it the role category"
    ):
        TableEncoder(with_role(frame, "machine", "context")).fit(frame)


def test_one_context_at_most_the_others_become_categories():
    frame = mixed_frame()
    position = {name: i + 1 for i, name in enumerate(frame)}
    dataset, encoder = make_table_dataset(frame, roles=f"context={position['city']},{position['shop']}")
    assert dataset.context == encoder.context_ and dataset.columns[dataset.context] == "city"
    assert any("Only one column can be the context; 'city' is." in note for note in encoder.notes_)
    assert any(name.startswith("shop") for name in dataset.columns) and "None" not in dataset.levels


def test_holes_are_filled_as_each_column_says():
    frame = mixed_frame().assign(other=lambda f: f["amount"].where(np.arange(len(f)) % 3 > 0))
    numbers = {name: i + 1 for i, name in enumerate(frame)}
    text = f"median={numbers['holes']}"
    features = make_table_dataset(frame, missing=text)[1].get_feature_names_out()
    assert "holes is missing" not in features and "other is missing" in features
    roles, problems = choose_roles(frame, missing=f"{text};dream=1;median=99")
    assert missing_to_text(roles) == text
    assert len(problems) == 2 and "choices for missing values 'dream=1'" in problems[0]
    features = make_table_dataset(frame, missing="median")[1].get_feature_names_out()
    assert not any(name.endswith("is missing") for name in features)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "UInt8", "Int16"])
def test_a_value_that_the_columns_type_cannot_hold_is_scored_and_comes_back(dtype):
    frame = pd.DataFrame({"n": pd.Series(np.arange(100), dtype=dtype), "x": np.linspace(0, 1, 100)})
    encoder = TableEncoder([ColumnRole(name, "feature") for name in frame], learner="scorer").fit(frame)
    wide = pd.DataFrame({"n": np.array([40_000, -40_000, 7]), "x": [0.5, 0.5, 0.5]})
    back = encoder.inverse_transform(encoder.transform(wide), drawn=False)
    assert back["n"].to_numpy() == pytest.approx([40_000, -40_000, 7])
    assert encoder.inverse_transform(encoder.transform(frame))["n"].dtype == np.dtype(dtype.lower())
