"""Pictures of tables, simulated tables, warnings and exports: what they show is what is there."""

import io

import numpy as np
import pandas as pd
import pytest

from flowlab.datasets.checkup import checkup
from flowlab.datasets.drawing import MAX_POINTS, make_drawing, points_from_text, points_to_text
from flowlab.datasets.from_table import choose_roles, make_table_dataset
from flowlab.datasets.simulated import make_cluster, make_malware
from flowlab.plots import table as plots
from flowlab.tables.export import to_csv_bytes
from flowlab.views import table as table_views


def table(n_rows: int = 1000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "<b>x</b>": rng.normal(size=n_rows),
            "k": rng.integers(0, 4, n_rows),
            "city": pd.Series(rng.choice(["<i>A</i>", "B"], n_rows), dtype="str"),
            "holes": np.where(rng.random(n_rows) < 0.25, np.nan, rng.normal(size=n_rows)),
            "when": pd.date_range("2025-01-01", periods=n_rows, freq="h"),
            "empty": np.full(n_rows, np.nan),
        }
    )


def test_labelled_anomalies_are_always_among_the_rows_drawn():
    y = np.zeros(200_000, np.int8)
    y[[3, 77_777, 199_998]] = 1
    rows = table_views.evenly_spread_rows(len(y), y)
    assert {3, 77_777, 199_998} <= set(rows) and len(rows) < 20_010
    pair = table_views.column_pair(pd.DataFrame({"a": np.arange(200_000.0), "b": 1.0}), "a", "b", y)
    assert pair.anomalous.sum() == 3 and len(pair.rows) <= table_views.MAX_POINTS + 3


def test_histograms_count_every_value_once_and_say_what_is_missing():
    frame = table()
    y = (np.arange(1000) % 10 == 0).astype(np.int8)
    summaries = {s.name: s for s in table_views.column_summaries(frame, y)}
    assert list(summaries) == list(frame)
    for name in ("<b>x</b>", "k", "city", "when"):
        assert summaries[name].normal.sum() == pytest.approx(1 - summaries[name].outside, abs=0.02)
        assert summaries[name].anomalies.sum() == pytest.approx(1, abs=0.02)
    assert summaries["holes"].missing == pytest.approx(frame["holes"].isna().mean())
    assert summaries["empty"].missing == 1
    k = summaries["k"]
    assert k.edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    assert k.normal == pytest.approx(np.bincount(frame["k"][y == 0]) / 900)


@pytest.mark.parametrize("dark", [False, True])
def test_names_with_markup_are_text_in_every_picture(dark: bool):
    frame = table()
    y = (np.arange(1000) % 10 == 0).astype(np.int8)
    split = np.repeat([0, 1, 2], [500, 200, 300]).astype(np.int8)
    course = table_views.time_course(frame["<b>x</b>"], frame["when"].to_numpy(), split, y)
    figures = [
        plots.column_histograms(table_views.column_summaries(frame, y), dark),
        plots.correlation_heatmap(table_views.correlation(frame, y), dark),
        plots.column_scatter(table_views.column_pair(frame, "<b>x</b>", "city", y), dark),
        plots.column_over_time(course, dark),
    ]
    for figure in figures:
        text = figure.to_json()
        assert "<b>x</b>" not in text.replace("\\u003c", "<").replace("\\u003e", ">").replace("<b>&lt;b&gt;", "")
        assert "<i>A" not in text.replace("\\u003c", "<")
    assert figures[3].layout.xaxis.title.text == "time"
    assert [a.text for a in figures[3].layout.annotations] == ["training", "validation", "test"]


def test_empty_tables_give_empty_pictures():
    nothing = pd.DataFrame({"a": pd.Series(dtype=float), "b": pd.Series(dtype=float)})
    plots.column_histograms(table_views.column_summaries(nothing))
    plots.correlation_heatmap(table_views.correlation(nothing))
    figure = plots.column_scatter(table_views.column_pair(nothing, "a", "b"))
    assert figure.layout.xaxis.title.text == "a"


def test_correlations_are_of_ranks_and_related_columns_stand_together():
    x = np.random.default_rng(0).normal(size=500)
    frame = pd.DataFrame({"x": x, "noise": np.roll(x, 7), "exp": np.exp(3 * x), "minus": -x, "n2": np.roll(x, 31)})
    found = table_views.correlation(frame)
    at = {name: i for i, name in enumerate(found.names)}
    assert found.values[at["x"], at["exp"]] == pytest.approx(1)
    assert found.values[at["x"], at["minus"]] == pytest.approx(-1)
    assert abs(at["x"] - at["exp"]) == 1


def test_thinning_a_series_keeps_every_peak():
    values = np.zeros(100_000)
    values[[12_345, 88_888]] = 50, -50
    split = np.zeros(100_000, np.int8)
    course = table_views.time_course(pd.Series(values, name="v"), np.arange(100_000.0), split)
    assert len(course.value) <= 2000 and course.value.max() == 50 and course.value.min() == -50


def test_gaps_in_time_are_not_joined():
    time = np.r_[np.arange(100.0), np.arange(5000.0, 5100.0)]
    course = table_views.time_course(pd.Series(np.ones(200), name="v"), time, np.zeros(200, np.int8))
    (gap,) = np.flatnonzero(np.isnan(course.value))
    assert course.time[gap - 1] == 99 and course.time[gap + 1] == 5000
    assert np.isfinite(np.delete(course.value, gap)).all() and len(course.time) == 201


def test_warnings_come_worst_first():
    rng = np.random.default_rng(0)
    y = (np.arange(500) % 25 == 0).astype(int)
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(500) < 0.1, -999, rng.normal(size=500)),
            "tell": y * 5 + rng.random(500),
            "holes": np.where(rng.random(500) < 0.7, np.nan, rng.normal(size=500)),
            "label": y,
        }
    )
    dataset, _ = make_table_dataset(frame, label="label", train_on="all")
    found = checkup(frame, choose_roles(frame, label="label")[0], dataset)
    for sentence, words in zip(found, ("'tell' alone tells", "is -999 in", "of the training rows are labelled")):
        assert words in sentence
    assert any("'holes'" in sentence for sentence in found)
    clean = pd.DataFrame(rng.normal(size=(5000, 3)), columns=list("abc"))
    assert checkup(clean, choose_roles(clean)[0], make_table_dataset(clean)[0]) == []


def test_the_cluster_is_what_the_lecture_had():
    cluster = make_cluster(seed=1)
    assert cluster.X.shape == (6667, 159) and set(np.unique(cluster.classes)) == {0, 1, 2}
    assert not cluster.y[cluster.split == 0].any() and cluster.y[cluster.split == 1].any()
    assert (np.diff(cluster.split[np.argsort(cluster.time)]) >= 0).all()
    normal = cluster.X[cluster.classes == 0]
    assert np.abs(np.corrcoef(normal.T)).mean() > 0.5
    ips, freq = cluster.columns.index("ips_p0_0"), cluster.columns.index("freq_p0_0")
    assert cluster.X[cluster.classes == 1, freq].max() < np.quantile(normal[:, freq], 0.9)
    assert cluster.X[cluster.classes == 1, ips].mean() < normal[:, ips].mean() + 0.1
    assert np.array_equal(make_cluster(seed=1).X, cluster.X) and not np.array_equal(make_cluster(seed=2).X, cluster.X)


def test_stuffing_fools_a_classifier_but_leaves_the_support():
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestNeighbors

    malware = make_malware(n_rows=6000, share=0.05)
    known = malware.classes != 2
    classifier = LogisticRegression(max_iter=1000).fit(malware.X[known], malware.y[known])
    harmful = classifier.predict_proba(malware.X)[:, 1]
    assert harmful[malware.classes == 1].mean() > 0.8
    assert harmful[malware.classes == 2].mean() < 0.05
    benign = malware.X[malware.classes == 0]
    away = NearestNeighbors(n_neighbors=5).fit(benign[:4000]).kneighbors(malware.X[malware.classes == 2])[0][:, -1]
    usual = NearestNeighbors(n_neighbors=5).fit(benign[:4000]).kneighbors(benign[4000:])[0][:, -1]
    assert np.mean(away > np.quantile(usual, 0.95)) > 0.8


def test_a_drawing_survives_the_link():
    rng = np.random.default_rng(0)
    points, labels = rng.uniform(-3, 3, (MAX_POINTS, 2)), rng.integers(0, 2, MAX_POINTS)
    text = points_to_text(points, labels)
    assert len(text) <= 4000
    again, marks = points_from_text(text)
    assert np.abs(again - points).max() < 0.003 and np.array_equal(marks, labels)
    assert points_to_text(again, marks) == text
    assert len(make_drawing(points=text, copies=2)) == 2 * MAX_POINTS
    for nonsense in ("????", "abc", "<script>", "é"):
        with pytest.raises(ValueError, match="draw them again"):
            points_from_text(nonsense)
    with pytest.raises(ValueError, match="at least 5"):
        make_drawing(points="")


def test_exports_hold_no_formulas_and_real_numbers_stay():
    frame = pd.DataFrame({"=cmd": ["=1+1", "+2", "-3", "@x", "\tt", "\rr", "plain"], "n": [-1.5, 2, 3, 4, 5, 6, 7]})
    frame["c"] = pd.Categorical(["=a", "b"] * 3 + ["b"])
    again = pd.read_csv(io.BytesIO(to_csv_bytes(frame)))
    assert again.columns[0] == "'=cmd"
    assert all(not str(cell).startswith(("=", "+", "-", "@", "\t", "\r")) for cell in again["'=cmd"])
    assert again["n"].tolist() == frame["n"].tolist() and again["c"][0] == "'=a"
