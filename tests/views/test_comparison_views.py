"""Arrays of the Compare page: rivals, costs, reconstruction maps, two-sample tests, the badge."""

import pickle

import numpy as np
import pytest

from flowlab import catalog, views
from flowlab.datasets.dataset import Part
from flowlab.evaluation.trust import audit
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.classical.density import Gaussian
from flowlab.records import Spec


@pytest.fixture(scope="module")
def moons():
    return catalog.make_dataset(Spec("moons", {"n_samples": 3000, "anomaly_share": 0.05}))


@pytest.fixture(scope="module")
def autoencoder(moons):
    return Autoencoder(n_steps=300).fit(moons.part("train"))


@pytest.fixture(scope="module")
def vae(moons):
    return VariationalAutoencoder(n_steps=300).fit(moons.part("train"))


def test_trivial_rivals_score_every_row_and_name_the_column(moons, autoencoder):
    rivals = views.trivial_rivals(autoencoder, moons)
    names = [rival.name for rival in rivals]
    assert len(names) == 5 and "random score" in names
    assert names[-1].removeprefix("column ").removesuffix(" alone (best on validation rows)") in moons.columns
    for rival in rivals:
        assert rival.trivial and rival.data == moons.digest() and rival.fit_seconds > 0
        assert len(rival.anomaly_score) == len(rival.y) == (moons.split == 2).sum()
    z = (moons.X - moons.part("train").mean(0)) / moons.part("train").std(0)
    np.testing.assert_allclose(rivals[0].anomaly_score, np.abs(z).max(1)[moons.split == 2])
    assert np.isnan(rivals[-1].score_seconds)


def test_reconstruction_is_the_autoencoders_error(moons, autoencoder, vae):
    np.testing.assert_allclose(views.reconstruction(autoencoder, moons).error, autoencoder.anomaly_score(moons.X))
    assert views.reconstruction(autoencoder, moons).kl is None
    np.testing.assert_array_equal(views.reconstruction(vae, moons).kl, vae.kl(moons.X))
    with pytest.raises(ValueError, match="Gaussian does not reconstruct"):
        views.reconstruction(Gaussian().fit(moons.X), moons)


def test_map_of_reconstructions_agrees_with_the_model(moons, autoencoder, vae):
    picture = views.reconstruction_map(autoencoder, moons, n=20)
    corner = np.array([[picture.x[3], picture.y[7]]])
    assert picture.error[7, 3] == pytest.approx(autoencoder.reconstruction_error(corner)[0])
    np.testing.assert_allclose(picture.tip, autoencoder.reconstruct(picture.tail))
    assert np.abs(autoencoder.reconstruct(picture.manifold) - picture.manifold).mean() < 0.5
    picture = views.reconstruction_map(vae, moons)
    assert np.isnan(picture.manifold).any()
    assert picture.mean.shape == picture.spread.shape == (150, 2)
    table = type(moons)(np.random.default_rng(0).normal(size=(100, 3)), ("a", "b", "c"))
    with pytest.raises(ValueError, match="two features"):
        views.reconstruction_map(Autoencoder(n_steps=5).fit(table.X), table)


def test_row_19_two_samples_of_one_distribution_and_of_two(moons, autoencoder):
    same = views.two_samples(autoencoder, moons, Part.TRAIN, Part.TEST)
    assert same[3].effect == pytest.approx(0.5, abs=0.08)
    other = views.two_samples(autoencoder, moons)
    assert min(test.p_value for test in other) < 0.02


def test_trust_and_cost_travel_between_processes(moons, autoencoder):
    findings, cost = pickle.loads(pickle.dumps((views.trust(autoencoder, moons), views.cost(autoencoder, moons))))
    assert findings == tuple(audit(autoencoder, moons, 0))
    assert cost.n_parameters == autoencoder.parameters_.size and cost.score_seconds > 0
