"""Pairs of columns: distances that know chance, columns that tell most, and a matrix that shows them truly."""

import json

import numpy as np
import pages_driver
import pandas as pd
import pytest
from pages_driver import enter, in_link, said, train
from simulations import is_below
from streamlit.testing.v1 import AppTest

from flowlab import catalog, views
from flowlab.datasets.dataset import Dataset
from flowlab.models.classical.density import Gaussian
from flowlab.plots.pairs import pair_matrix
from flowlab.records import RunSpec, Spec
from flowlab.views import pairs
from flowlab.views.pairs import (
    MAX_LEVELS,
    TwoTables,
    distance_by_chance,
    quadrant_distances,
    rank_correlations,
    two_tables,
)

RNG = np.random.default_rng(0)
WINE = RunSpec(Spec("wine"), Spec("maf", {"n_layers": 2, "n_steps": 50, "hidden_features": 16}))
KERNEL = RunSpec(Spec("wine"), Spec("kde"))
MOONS = RunSpec(Spec("moons", {"n_samples": 600}), Spec("kde"))


def tables(A: np.ndarray, B: np.ndarray) -> TwoTables:
    names = [f"x{j + 1}" for j in range(A.shape[1])]
    return two_tables(pd.DataFrame(A, columns=names), pd.DataFrame(B, columns=names))


def correlated(n: int, rho: float, d: int = 5) -> np.ndarray:
    """Normal columns of which the last two are correlated."""
    X = RNG.normal(size=(n, d))
    X[:, -1] = rho * X[:, -2] + np.sqrt(1 - rho**2) * X[:, -1]
    return X


def test_a_quadrant_distance_is_the_largest_difference_of_shares():
    """Two columns of 0 and 1, by hand: shares of the four cells 0.5, 0, 0, 0.5 against 0.25 each."""
    A = np.repeat([[0, 0], [1, 1]], 50, axis=0).astype(float)
    B = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 25, axis=0).astype(float)
    np.testing.assert_allclose(quadrant_distances(A, B), [[0, 0.25], [0.25, 0]], atol=1e-6)
    np.testing.assert_allclose(quadrant_distances(A, A), 0, atol=1e-6)
    shifted = np.column_stack([A[:, 0], np.ones(100)])
    assert quadrant_distances(A, shifted)[1, 1] == pytest.approx(0.5), "on the diagonal the column's own distance"


def test_distances_are_those_of_all_points_up_to_the_grid():
    A, B = correlated(400, 0.0, 2), correlated(400, 0.8, 2)
    cuts = np.concatenate([A, B])
    below = [[(T[:, k, None] <= cuts[:, k]).astype(float) for k in (0, 1)] for T in (A, B)]
    exact = 0.0
    for left in (True, False):
        for low in (True, False):
            shares = [(x if left else 1 - x).T @ (y if low else 1 - y) / 400 for x, y in below]
            exact = max(exact, np.abs(shares[0] - shares[1]).max())
    found = quadrant_distances(A, B)[0, 1]
    assert exact - 0.04 < found <= exact + 1e-6


def test_luck_covers_equal_samples_and_not_unequal_ones():
    covered = [
        quadrant_distances(A, B)[np.triu_indices(3, 1)].max() <= distance_by_chance(A, B)
        for A, B in ((RNG.normal(size=(300, 3)), RNG.normal(size=(600, 3))) for _ in range(40))
    ]
    assert not is_below(sum(covered), 0.95, len(covered))
    A, B = correlated(600, 0.9, 3), correlated(600, 0.0, 3)
    assert quadrant_distances(A, B).max() > 1.5 * distance_by_chance(A, B)


def test_rank_correlations_are_spearmans():
    from scipy.stats import spearmanr

    X = np.column_stack([correlated(200, 0.7, 3), RNG.integers(0, 3, 200), np.ones(200)])
    found = rank_correlations(X)
    np.testing.assert_allclose(found[:4, :4], spearmanr(X[:, :4]).statistic, atol=1e-12)
    np.testing.assert_array_equal(found[4], 0)


def test_the_columns_that_tell_most_are_found_for_the_reason_said():
    A, B = correlated(1500, 0.9, 12), correlated(1500, 0.9, 12)
    B[:, 3] = B[:, 1] * np.sign(B[:, 3]) * np.sign(B[:, 1])  # the margins stay, the pair does not
    told = pairs.telling_columns(tables(A, B))
    assert told.worst == (1, 3) and told.worst_distance > 0.07
    assert told.strongest == (10, 11) and told.strongest_correlation == pytest.approx(0.89, abs=0.03)
    assert told.columns == (1, 3, 10, 11)
    assert len(pairs.telling_columns(tables(A[:, :3], B[:, :3])).columns) == 3
    with pytest.raises(ValueError, match="at least two columns"):
        pairs.telling_columns(tables(A[:, :1], B[:, :1]))


def test_frames_become_numbers_and_levels():
    kinds = [f"kind {k}" for k in range(14)]
    rows = pd.DataFrame(
        {
            "amount": [1.5, np.nan, 3.0, 4.0] * 20,
            "kind": (kinds * 6)[:80],
            "paid": [True, False] * 40,
            "same": [7] * 80,
            "count": [1, 2, 3, 4] * 20,
            "day": pd.to_datetime(["2024-01-01", "2024-02-01"] * 40),
        }
    )
    samples = rows.copy()
    samples["count"] = samples["count"] + 0.2
    found = two_tables(rows, samples)
    assert found.names == ("amount", "kind", "paid", "count", "day")
    assert len(found.levels[1]) == MAX_LEVELS and found.levels[1][-1] == "others"
    assert set(found.levels[2]) == {"True", "False"} and found.levels[3] is None
    assert np.isnan(found.data[1, 0]) and found.data[0, 4] == 1000 * pd.Timestamp("2024-01-01").timestamp()
    assert found.is_date == (False, False, False, False, True)
    axis = pair_matrix(pairs.pair_panels(found), np.arange(80)).layout.xaxis25
    assert axis.type == "date" and axis.range[0] < found.data[0, 4] < axis.range[1]
    np.testing.assert_array_equal(found.on_grid[:, 3], rows["count"])
    panels = pairs.pair_panels(found)
    assert panels.distance.max() < 1e-6 and panels.edges[1].tolist() == (np.arange(11) - 0.5).tolist()
    assert np.isnan(panels.data_correlation[1]).all() and np.isfinite(panels.data_correlation[0, 2])


def test_panels_show_where_samples_are_too_many():
    A, B = correlated(2000, 0.9, 3), correlated(2000, 0.0, 3)
    panels = pairs.pair_panels(tables(A, B))
    assert panels.worst == (1, 2) and panels.distance[1, 2] > panels.chance
    z = panels.residual[1, 2]
    middle = len(z) // 2
    assert np.nanmin(np.diag(z)[middle - 2 : middle + 2]) < -3 < 3 < np.nanmax(z), "off the diagonal are too many"
    assert np.nanstd(panels.residual[0, 1]) == pytest.approx(1, abs=0.35), "where nothing differs, one standard error"
    for shares in (panels.data_share, panels.sample_share):
        assert all(0.97 < share.sum() <= 1 for share in shares)
    assert panels.data_correlation[1, 2] > 0.85 > 0.2 > abs(panels.sample_correlation[1, 2])


def test_the_window_is_that_of_nearly_all_rows_however_wild_the_samples():
    A = RNG.normal(size=(1000, 2))
    A[0, 0] = 1e6
    panels = pairs.pair_panels(tables(A, 1e3 * RNG.normal(size=(1000, 2))))
    assert np.abs(panels.window).max() < 15


@pytest.mark.parametrize("dark", [False, True])
def test_a_matrix_aligns_its_panels_and_carries_the_rows(dark):
    A, B = correlated(500, 0.9, 4), correlated(700, 0.0, 4)
    frames = [pd.DataFrame(T, columns=["<b>a</b>", "a name much too long for one small panel of a matrix", "c", "d"])
              for T in (A, B)]  # fmt: skip
    panels = pairs.pair_panels(two_tables(*frames))
    rows = np.arange(500) * 3
    fig = pair_matrix(panels, rows, dark, row=9)
    kinds = [trace.type for trace in fig.data]
    assert kinds.count("heatmap") == 6 and kinds.count("scatter") == 4 * 2 + 6 * 3, "the chosen row is ringed"
    for j in range(4):
        x = [fig.layout[f"xaxis{'' if i == j == 0 else i * 4 + j + 1}"] for i in range(4)]
        assert len({tuple(axis.range) for axis in x}) == 1 and len({tuple(axis.domain) for axis in x}) == 1
    points = [trace for trace in fig.data if trace.name == "rows" and trace.mode == "markers"]
    crosses = [trace for trace in fig.data if trace.name == "samples" and trace.mode == "markers"]
    assert len(points) == len(crosses) == 6 and len(points[0].x) == len(crosses[0].x)
    assert set(points[0].customdata) <= set(rows) and points[0].marker.symbol != crosses[0].marker.symbol
    texts = [note.text for note in fig.layout.annotations]
    assert "<b>&lt;b&gt;a&lt;/b&gt;</b>" in texts and any("…" in text for text in texts)
    assert any(note.hovertext and "too long for one small panel" in note.hovertext for note in fig.layout.annotations)


def test_rows_of_the_view_are_held_out_and_of_the_kind_that_is_fitted():
    X = RNG.normal(size=(400, 3))
    y = (np.arange(400) % 10 == 0).astype(np.int8)
    data = Dataset(X, ("a", "b", "c"), y=y, train_on="normal")
    found = views.pair_rows(Gaussian().fit(X), data, n=500)
    assert found.part == "test" and set(found.rows) == set(np.flatnonzero((data.split == 2) & (y == 0)))
    np.testing.assert_array_equal(found.data, X[found.rows])
    assert found.samples.shape == (500, 3)
    for n, part in ((60, "train"), (120, "test and validation")):
        assert views.pair_rows(Gaussian().fit(X), Dataset(X[:n], data.columns)).part == part
    with pytest.raises(ValueError, match="cannot draw samples"):
        views.pair_rows(catalog.make_model(Spec("forest")), data)


@pytest.mark.parametrize("d", [64, 500])
def test_wide_tables_are_told_by_few_columns(d):
    A = RNG.normal(size=(1000, d))
    A[:, d - 1] = A[:, 3] + 0.1 * RNG.normal(size=1000)
    frames = tables(A, RNG.normal(size=(1500, d)))
    told = pairs.telling_columns(frames)
    assert len(told.columns) == 4 and told.strongest == (3, d - 1)
    panels = pairs.pair_panels(frames.of(list(told.columns)))
    assert len(pair_matrix(panels, np.arange(1000)).data) > 12


@pytest.fixture(scope="module")
def runs(own_server):
    """A store with finished runs, that of an upload with categories and holes among them, and one runner."""
    table = pd.DataFrame(np.exp(RNG.normal(3, 1, (400, 2))), columns=["load", "heat"])
    table["place"] = RNG.choice(["hall", "yard", "<b>roof</b>"], 400)
    table.loc[::9, "heat"] = np.nan
    upload = Spec("upload", {"digest": own_server.store().put_table(table), "name": "table.csv"})
    specs = {"wine": WINE, "kde": KERNEL, "moons": MOONS}
    specs["table"] = RunSpec(upload, Spec("affine", {"n_layers": 2, "n_steps": 50}))
    train(*specs.values())
    return specs


def open_page(spec: RunSpec, **view: object) -> AppTest:
    return pages_driver.open_page("explore", spec, **{"view": "Pairs", **view})


def matrix(at: AppTest) -> dict:
    return json.loads(at.get("plotly_chart")[0].proto.spec)


def test_the_page_shows_the_telling_columns_and_says_why(runs):
    at = open_page(runs["wine"])
    words = said(at)
    assert "Of 78 pairs, the samples miss" in words and "depend most on each other in the data" in words
    assert "luck" in words and "open the receipt" in words
    assert len(at.multiselect[0].value) == 4 and len(matrix(at)["layout"]["annotations"]) == 4 + 6
    enter(at, at.multiselect[0], [0, 1, 2])
    assert in_link(at, "explore.columns") == "0,1,2"
    assert len(matrix(at)["layout"]["annotations"]) == 3 + 3


@pytest.mark.parametrize("columns", ["2,5,7,8,9,10,11", "nan,<b>", "99", "-1,2,3.5", ""])
def test_any_columns_in_the_link_are_a_matrix(runs, columns):
    shown = open_page(runs["kde"], columns=columns).multiselect[0].value
    assert len(shown) == (6 if columns.startswith("2,") else 4)


def test_an_upload_is_shown_in_its_own_columns(runs):
    at = open_page(runs["table"])
    figure = matrix(at)
    names = {note["text"] for note in figure["layout"]["annotations"]}
    assert {"<b>load</b>", "<b>heat</b>", "<b>place</b>"} <= names
    ticks = [axis["ticktext"] for axis in figure["layout"].values() if isinstance(axis, dict) and "ticktext" in axis]
    assert any("hall" in texts for texts in ticks) and not any("<b>roof" in text for texts in ticks for text in texts)


def test_two_columns_have_no_matrix_and_other_models_have_no_receipt(runs):
    at = open_page(runs["moons"])
    assert "Pairs" not in [option.content for option in at.get("button_group")[0].proto.options]
    assert "open the receipt" not in said(open_page(runs["kde"]))
