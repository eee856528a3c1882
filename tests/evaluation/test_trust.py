"""The trust badge: green for sound models, and every deliberate fault caught by the finding that names it."""

import numpy as np
import pytest
from scipy.stats import norm

from flowlab import catalog
from flowlab.catalog.data import DATASETS, TOYS
from flowlab.catalog.faults import BREAKABLE, FAULTS, breaks
from flowlab.evaluation.finding import LEVELS, overall
from flowlab.evaluation.trust import audit
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.classical.density import Gaussian
from flowlab.models.flows.families import AffineCouplingFlow, SplineCouplingFlow
from flowlab.records import Spec


class WithoutLogDeterminant(SplineCouplingFlow):
    def score_samples(self, X):
        return norm.logpdf(self.transform(X)).sum(1)


class WithoutInverse(SplineCouplingFlow):
    def inverse_transform(self, Z):
        return 1.02 * super().inverse_transform(Z)


def fitted(model, dataset):
    for _ in model.fit_iter(dataset.part("train"), dataset.part("validation")):
        pass
    return model


def levels(model, dataset):
    return {finding.name: finding.level for finding in audit(model, dataset)}


@pytest.fixture(scope="module")
def moons():
    return catalog.make_dataset(Spec("moons"))


@pytest.fixture(scope="module")
def sound(moons):
    return fitted(SplineCouplingFlow(n_steps=1500), moons)


def test_a_sound_flow_is_green(moons, sound):
    findings = audit(sound, moons)
    assert overall(findings) == "green", [f for f in findings if f.level != "green"]
    assert [f.name for f in findings] == [
        "Round trip",
        "Log-determinant",
        "Untouched columns",
        "Latent axes",
        "Latent norm",
        "Rows in the tails",
        "Total mass",
        "Distance to the truth",
        "Training against held-out rows",
        "Samples",
        "Against simple densities",
    ]
    assert findings == audit(sound, moons)


def test_a_dropped_log_determinant_is_caught(moons, sound):
    found = levels(WithoutLogDeterminant().set_state(sound.get_state()), moons)
    assert found["Log-determinant"] == "red"
    assert found["Total mass"] == "red"


def test_a_wrong_inverse_is_caught(moons, sound):
    assert levels(WithoutInverse().set_state(sound.get_state()), moons)["Round trip"] == "red"


@pytest.mark.parametrize(
    "name, toy",
    [*((name, "moons") for name in BREAKABLE), ("spline", "checkerboard"), ("affine", "eight_gaussians")],
)
def test_every_fault_that_the_page_offers_is_caught_by_the_findings_it_names(name, toy):
    """Each of them is worse than in the sound model, trained as long."""
    dataset = catalog.make_dataset(Spec(toy, {"n_samples": 5000}))

    def found(spec):
        return levels(fitted(catalog.make_model(Spec(spec.name, {**spec.params, "n_steps": 400})), dataset), dataset)

    sound = found(Spec(name))
    for fault, broken in breaks(Spec(name), dataset.n_features).items():
        if broken.name == name:
            caught = found(broken)
            for finding in FAULTS[fault].caught_by:
                assert LEVELS.index(caught[finding]) > LEVELS.index(sound[finding]), (fault, finding)


def test_an_untrained_flow_is_not_trusted(moons):
    model = SplineCouplingFlow(n_steps=1)
    fitted(model, moons)
    assert overall(audit(model, moons)) == "red"


def test_memorised_rows_are_caught():
    moons = catalog.make_dataset(Spec("moons", {"n_samples": 200}))
    model = SplineCouplingFlow(n_steps=1500, regularize="none")
    for _ in model.fit_iter(moons.part("train")):
        pass
    assert levels(model, moons)["Training against held-out rows"] != "green"


def test_models_without_latent_space_or_density_are_measured_where_they_can_be(moons):
    autoencoder = levels(fitted(Autoencoder(n_steps=100), moons), moons)
    assert set(autoencoder) == {"Training against held-out rows", "Samples"}
    gaussian = levels(fitted(Gaussian(), moons), moons)
    assert gaussian["Total mass"] == "green"
    assert gaussian["Samples"] == gaussian["Distance to the truth"] == gaussian["Against simple densities"] == "red"
    assert "Round trip" not in gaussian
    assert levels(fitted(VariationalAutoencoder(n_steps=300), moons), moons)["Total mass"] == "green"


@pytest.mark.parametrize("name", ["gaussian", "moons"])
def test_one_column_and_many_columns_can_be_audited(name):
    rng = np.random.default_rng(0)
    moons = catalog.make_dataset(Spec(name))
    one = type(moons)(moons.X[:2000, :1], ("x",))
    many = type(moons)(rng.normal(size=(2000, 6)) @ rng.normal(size=(6, 6)), tuple("abcdef"))
    for dataset in (one, many):
        model = fitted(AffineCouplingFlow(n_steps=300), dataset)
        findings = {f.name: f for f in audit(model, dataset)}
        assert findings["Log-determinant"].level == "green"
        assert findings["Total mass"].value == pytest.approx(1, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.group == TOYS])
def test_default_flow_is_green_on_every_toy(name):
    """With honest exceptions: the default steps leave rings 0.2 nats above the truth; in 64 columns a classifier tells
    25 seconds' worth of MAF from the truth (0.61), which is 2 nats above it and has tails that are too light."""
    dataset = catalog.make_dataset(Spec(name, {"n_samples": 20_000}))
    wide = dataset.n_features > 2
    findings = audit(fitted(catalog.make_model(Spec("maf" if wide else "spline")), dataset), dataset)
    bad = {f.name: f for f in findings if f.level != "green"}
    rough = {"Distance to the truth"} if name == "rings" else set()
    assert set(bad) <= (rough | {"Distance to the truth", "Samples", "Rows in the tails"} if wide else rough), bad
    assert all(f.level == "amber" for f in bad.values() if f.name != "Rows in the tails"), bad
