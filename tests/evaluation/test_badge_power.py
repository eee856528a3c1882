"""The badge's findings on rows: seldom wrong of a true density, and green only where a bad fit would have shown."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student
from simulations import N_SIMULATIONS, is_above, is_below

from benchmarks.trust import BAD, GOOD, judge
from flowlab.datasets.dataset import Dataset
from flowlab.evaluation import fit_quality
from flowlab.evaluation.finding import Finding, with_power
from flowlab.evaluation.known_gap import AMBER, distance_to_the_truth
from flowlab.evaluation.trust import audit
from flowlab.models.classical.density import KDE, Gaussian

ENOUGH = 1400
NORMAL = SimpleNamespace(score_samples=lambda X: norm.logpdf(X).sum(1), is_density=True)


def times(found, level):
    """How many findings are of a level."""
    return sum(finding.level == level for finding in found)


@pytest.mark.parametrize("n", [50, ENOUGH])
def test_a_true_density_is_seldom_called_rough_and_never_poor(n):
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(20_000, 2))
    rows = [rng.normal(size=(n, 2)) for _ in range(N_SIMULATIONS)]
    for find in (
        fit_quality.latent_axes,
        fit_quality.latent_norm,
        lambda X: fit_quality.tails(NORMAL, X, drawn, ("x", "y")),
        lambda X: fit_quality.generalisation(NORMAL, rng.normal(size=(5000, 2)), X),
        lambda X: fit_quality.simple_rivals(NORMAL, [("One Gaussian", Gaussian().fit(drawn[:1000]))], X),
    ):
        found = [find(X) for X in rows]
        assert times(found, "red") == 0
        assert not is_above(times(found, "amber"), 0.03, among=5)
    green = times([fit_quality.latent_axes(X) for X in rows], "green")
    assert green == 0 if n == 50 else not is_below(green, 0.9)


def test_with_the_rows_it_asks_for_a_latent_axis_that_is_far_off_is_seen():
    """A distance of 0.12 from the normal distribution, which is red where it is known, is not green."""
    rng = np.random.default_rng(1)
    shift = 2 * norm.ppf(0.56)  # the largest distance of N(shift, 1) from N(0, 1) is 0.12
    found = [fit_quality.latent_axes(rng.normal(shift, 1, (ENOUGH, 1))) for _ in range(N_SIMULATIONS)]
    assert not is_above(times(found, "green"), 0.03)
    norms = [fit_quality.latent_norm(1.35 * rng.normal(size=(ENOUGH, 2))) for _ in range(N_SIMULATIONS)]
    assert not is_above(times(norms, "green"), 0.03)


def test_tails_ten_times_as_heavy_are_seen_with_the_rows_it_asks_for_and_named():
    rng = np.random.default_rng(2)
    drawn = rng.normal(size=(20_000, 2))
    found = []
    for _ in range(N_SIMULATIONS):
        X = rng.normal(size=(ENOUGH, 2))
        far = rng.uniform(size=ENOUGH) < 0.01
        X[far, 1] = 6 * np.sign(X[far, 1])
        found.append(fit_quality.tails(NORMAL, X, drawn, ("x", "y")))
    assert not is_above(times(found, "green"), 0.1)
    assert all("mostly through y" in f.sentence for f in found if f.level in ("amber", "red"))


def test_a_model_with_light_tails_on_t2_is_never_green_and_the_tails_are_named():
    """What the default spline flow was: right within its bound, normal beyond it."""
    rng = np.random.default_rng(3)
    inside = student.logpdf

    def score(X):
        return np.where(np.abs(X) < 12, inside(X, 2), norm.logpdf(X / 3) - 5).sum(1)

    model = SimpleNamespace(score_samples=score, is_density=True)
    drawn = rng.standard_t(2, (30_000, 2))
    drawn = drawn[(np.abs(drawn) < 12).all(1)][:20_000]
    for n in (300, 3000):
        found = [fit_quality.tails(model, rng.standard_t(2, (n, 2)), drawn, ("a", "b")) for _ in range(10)]
        assert times(found, "green") == 0
    assert all("tails" in f.sentence and ("through a" in f.sentence or "through b" in f.sentence) for f in found)


def test_a_finding_without_power_is_grey_and_says_what_it_would_take():
    finding = Finding("x", 0.1, "", "green", "All is well.")
    assert with_power(finding, 1400, 1360) == finding
    grey = with_power(finding, 50, 1360.2)
    assert grey.level == "grey" and "50 held-out rows could hide" in grey.sentence
    assert "about 1\u2009400" in grey.sentence
    red = Finding("x", 0.9, "", "red", "All is lost.")
    assert with_power(red, 50, 1360) == red


@pytest.mark.parametrize("name", ["moons", "pinwheel"])
def test_with_the_rows_it_asks_for_a_gaussian_in_the_place_of_a_shape_is_told_by_its_samples(name):
    from flowlab.toys.dataset import TOYS

    density = TOYS[name]()
    for seed in range(3):
        X = density.sample(fit_quality.FEWEST_TO_CLASSIFY, seed)
        model = Gaussian().fit(density.sample(2000, seed + 10))
        assert fit_quality.samples(X, model.sample(1000, random_state=seed), seed).level in ("amber", "red")
        true = fit_quality.samples(X, density.sample(1000, seed + 20), seed)
        assert true.level == "green"
    few = density.sample(50, 0)
    assert fit_quality.samples(few, density.sample(1000, 1), 0).level == "grey"


def test_training_rows_never_stand_in_for_held_out_ones():
    """A hundred rows by heart: test and validation rows are pooled, and fewer than twenty call nothing good."""
    rng = np.random.default_rng(0)
    for n, level in ((100, "red"), (60, "grey")):
        data = Dataset(rng.normal(size=(n, 4)), tuple("abcd"))
        model = KDE(bandwidth=0.05).fit(data.part("train"))
        found = {f.name: f for f in audit(model, data)}
        assert ("Held-out rows" in found) == (n == 60)
        assert (found.get("Training against held-out rows") or found["Held-out rows"]).level == level
    assert "too few held-out rows" in found["Held-out rows"].sentence


@pytest.mark.parametrize(("excess", "level"), [(0.0, "green"), (0.35, "amber"), (0.5, "amber"), (1.2, "red")])
def test_the_known_gap_is_a_finding(excess, level):
    """0.21 and 0.25 nats above a known truth, in two columns, were green."""
    from flowlab.toys.shapes import CorrelatedGaussian

    density = CorrelatedGaussian()
    data = Dataset(density.sample(300, 0), ("x", "y"), density=density)
    model = Gaussian().fit((1 + excess) * density.sample(50_000, 1))
    finding = distance_to_the_truth(model, data)
    assert finding.level == level and f"{finding.value:.3f}" in finding.sentence.replace("\u2212", "-")
    assert 0.1 < finding.value < 0.5 if level == "amber" else True


def test_scores_above_the_truth_are_no_densities():
    """The mean log-density of a model is highest for the truth itself: what claims more does not sum to one."""
    from benchmarks.trust import Exact
    from flowlab.toys.shapes import CorrelatedGaussian

    density = CorrelatedGaussian()
    data = Dataset(density.sample(300, 0), ("x", "y"), density=density)
    model = Exact(density)
    assert distance_to_the_truth(model, data).level == "green"
    model.score_samples = lambda X: density.log_density(X) + 0.1
    finding = distance_to_the_truth(model, data)
    assert finding.level == "red" and "0.100 nats more than the truth" in finding.sentence


QUICK = [
    "the truth of moons, 170",
    "the truth of rings, 1,000",
    "Gaussian on normal columns",
    "Gaussian on moons",
    "Gaussian on pinwheel",
    "Gaussian on exponentials",
    "identity on exponentials, 170",
    "narrow kernels",
    "spline flow on moons, 50 steps",
    "Gaussian on t(3)",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [c for c in (*GOOD, *BAD) if any(c.name.startswith(word) for word in QUICK)], ids=lambda c: c.name
)
def test_no_good_model_is_red_and_no_bad_one_green(case):
    """The quick ones of `benchmarks/trust.py`, which has twenty of each and more."""
    levels, reasons, above = judge(case)
    assert ("red" if case.is_good else "green") not in levels, (levels, reasons)
    assert not case.is_good or above <= AMBER, "a good model stands near the truth"
