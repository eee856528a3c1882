"""The tables that ship with scikit-learn come with their names, one class as the anomaly, and a fair division."""

import numpy as np
import pytest

from flowlab.datasets.bundled import BUNDLED, DEFAULT_ANOMALY, class_names, make_bundled

SIZES = {"breast_cancer": (569, 30, 212), "wine": (178, 13, 48), "digits": (1797, 64, 174), "iris": (150, 4, 50)}


@pytest.mark.parametrize("name", BUNDLED)
def test_the_usual_anomaly_is_labelled(name):
    data = make_bundled(name)
    n_rows, n_features, n_anomalies = SIZES[name]
    assert data.X.shape == (n_rows, n_features) and data.y.sum() == n_anomalies
    assert np.all(np.isfinite(data.X)) and len(set(data.columns)) == n_features
    usual = class_names(name).index(DEFAULT_ANOMALY[name])
    np.testing.assert_array_equal(data.y == 1, data.classes == usual)


@pytest.mark.parametrize("name", BUNDLED)
def test_anomalies_are_spread_over_the_parts_and_left_out_of_the_fit(name):
    data = make_bundled(name)
    for part in (0, 1, 2):
        assert data.y[data.split == part].mean() == pytest.approx(data.y.mean(), abs=0.03)
    assert data.y[data.rows("train")].sum() == 0
    assert make_bundled(name, train_on="all").y[make_bundled(name, train_on="all").rows("train")].sum() > 0


def test_any_class_can_be_the_anomaly_or_none():
    for name in BUNDLED:
        for chosen in class_names(name):
            data = make_bundled(name, chosen)
            assert data.y.sum() == np.sum(make_bundled(name, "none").classes == class_names(name).index(chosen))
    assert make_bundled("wine", "none").y is None


def test_anomalies_can_be_made_rare():
    data = make_bundled("breast_cancer", anomaly_share=0.1)
    assert data.y.sum() == 21 and len(data) == 357 + 21
    assert make_bundled("iris", anomaly_share=0.001).y.sum() == 3


def test_the_same_seed_gives_the_same_table():
    assert make_bundled("wine", seed=4).digest() == make_bundled("wine", seed=4).digest()
    assert make_bundled("wine", seed=4).digest() != make_bundled("wine", seed=5).digest()


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="name must be one of breast_cancer, wine, digits, iris, not 'boston'"):
        make_bundled("boston")
    with pytest.raises(ValueError, match="anomaly_class must be 'none' or one of class_0"):
        make_bundled("wine", "red")
    with pytest.raises(ValueError, match="anomaly_share"):
        make_bundled("wine", anomaly_share=0)
