"""One threshold under a context: it means the same in every level, and small or unseen levels are said."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from flowlab import catalog, views
from flowlab.datasets.dataset import Dataset
from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.scored_table import ScoredTable
from flowlab.records import RunSpec, Spec
from flowlab.serving.bundle import from_bytes, make_detector, to_bytes
from flowlab.serving.report import detection_report
from flowlab.serving.scorer import Scorer
from flowlab.serving.scoring import score_file

SPREAD = {"mill": 1.0, "saw": 2.0}


def _machines(n_rows, seed=0, off=0.0):
    """Two machines of other spread; with `off`, each row lies that many deviations away."""
    rng = np.random.default_rng(seed)
    machine = rng.choice(list(SPREAD), n_rows)
    spread = np.array([SPREAD[name] for name in machine])
    values = rng.normal(size=(n_rows, 2)) * spread[:, None]
    if off:
        values[:, 0] = off * spread * rng.choice([-1, 1], n_rows)
    return pd.DataFrame({"pressure": values[:, 0], "speed": values[:, 1], "machine": machine})


@pytest.fixture(scope="module")
def trained():
    dataset, _ = make_table_dataset(_machines(6000), roles="context=3", fractions="60/20/20")
    spec = Spec("affine", {"n_steps": 150})
    model = catalog.make_model(spec, 0, dataset).fit(dataset.part("train"))
    scored = ScoredTable.of(dataset, model.anomaly_score(dataset.X))
    threshold = scored.choose("conformal", rate=0.02)
    return model, scored, make_detector(spec, 0, model.get_state(), scored, threshold)


def _scored(detector, frame):
    out = io.BytesIO()
    summary = score_file(to_bytes(detector), io.BytesIO(frame.to_csv(index=False).encode()), out)
    return summary, pd.read_csv(io.BytesIO(out.getvalue()))


def test_unseen_rows_of_both_machines_are_flagged_as_often_as_promised(trained):
    _, scored, detector = trained
    _, file = _scored(detector, _machines(20_000, seed=1))
    rate = detector.threshold.parameters["rate"]
    n_choice, n_train = len(scored.rows("validation")) / 2, len(scored.rows("train")) / 2
    for name in SPREAD:
        flagged = file.loc[file.machine == name, "flagged"]
        # the threshold, the level's tail and the new rows are each a sample of their own
        error = np.sqrt(rate * (1 - rate) * (1 / len(flagged) + 1 / n_choice + 1 / n_train))
        assert abs(flagged.mean() - rate) < 4 * error, name


def test_rows_five_deviations_off_in_their_own_machine_are_caught_in_both(trained):
    _, _, detector = trained
    _, scored = _scored(detector, _machines(2000, seed=2, off=5.0))
    for name in SPREAD:
        assert scored.loc[scored.machine == name, "flagged"].mean() >= 0.95, name


def test_on_the_models_own_scores_one_threshold_suits_neither_machine(trained):
    model, scored, _ = trained
    plain = replace(scored, scores=model.anomaly_score(scored.dataset.X), level_calibration=None)
    threshold = plain.choose("conformal", rate=0.02)
    codes = scored.dataset.X[:, scored.dataset.context]
    shares = [threshold.flag(plain.scores)[codes == level].mean() for level in (0, 1)]
    assert min(shares) < 0.01 and max(shares) > 0.03


def test_within_a_level_rows_rank_as_the_model_ranks_them(trained):
    model, scored, _ = trained
    scores, codes = model.anomaly_score(scored.dataset.X), scored.dataset.X[:, scored.dataset.context]
    for level in (0, 1):
        order = np.argsort(scores[codes == level], kind="stable")
        apart = np.diff(scores[codes == level][order]) > 1e-9
        assert (np.diff(scored.scores[codes == level][order])[apart] > 0).all()


@pytest.mark.parametrize("n_rows", [1, 3, 60, 99, 100, 30_000])
def test_it_rises_with_the_score_below_within_and_beyond_the_training_rows(n_rows):
    rng = np.random.default_rng(n_rows)
    training = np.r_[rng.normal(size=n_rows), rng.normal(3, 2, 500)]
    calibration = LevelCalibration.fit(training, np.repeat([0, 1], [n_rows, 500]))
    scores = np.unique(np.r_[-1e100, -1e6, np.linspace(-60, 60, 4001), 1e6, 1e30, 1e100])
    for level in (0, 1, 7):
        calibrated = calibration(scores, np.full(len(scores), level))
        assert (np.diff(calibrated) > 0).all() and np.isfinite(calibrated).all() and calibrated[0] >= 0


def test_it_is_the_tail_probability_of_the_level():
    rng = np.random.default_rng(0)
    levels = np.repeat([0, 1], [200_000, 5000])
    calibration = LevelCalibration.fit(rng.exponential(1 + 9 * levels), levels)
    scores = np.linspace(0.1, 5, 50)
    np.testing.assert_allclose(calibration(scores, np.zeros(50)), scores, atol=0.08)
    np.testing.assert_allclose(calibration(10 * scores, np.ones(50)), scores, atol=0.5)
    assert len(calibration.tails[0].scores) <= 2000


def test_small_levels_borrow_in_proportion_and_unseen_levels_stand_among_all_rows():
    rng = np.random.default_rng(0)
    levels = np.repeat([0, 1, 2], [900, 25, 75])
    calibration = LevelCalibration.fit(rng.normal(levels), levels, level_names=("a", "b", "c"), name="kind")
    scores = np.linspace(-1, 4, 20)
    among_all = np.exp(-calibration(scores, np.full(20, 9.0)))
    own = calibration.tails[1](np.clip(scores, calibration.tails[1].scores[0], None))
    at_ends = scores < calibration.tails[1].scores[0]
    mixed = np.exp(-calibration(scores, np.ones(20)))
    np.testing.assert_allclose(mixed[~at_ends], (0.25 * np.exp(-own) + 0.75 * among_all)[~at_ends], rtol=1e-9)
    assert calibration.small_levels() == [
        "Levels of kind with fewer than 100 training rows are judged partly among the rows of all levels: "
        "b (25 rows), c (75 rows)."
    ]
    assert calibration.unseen_levels(levels) == []
    assert "without training rows" in calibration.unseen_levels([0, 3])[0]


@pytest.mark.parametrize("n_levels", [2, 5, 30])
def test_the_promise_holds_over_repetitions_however_small_some_levels_are(n_levels):
    """Split conformal: the mean share of flagged new rows over 200 repetitions is at most the promise."""
    rng = np.random.default_rng(n_levels)
    rate, shares = 0.05, []
    counts = np.where(np.arange(n_levels) % 3 == 1, 3, 240)
    for _ in range(200):
        levels = np.repeat(np.arange(n_levels), counts * 2)
        n_rows = len(levels)
        scale, place = 1 + np.arange(n_levels), 5.0 * np.arange(n_levels)
        scores = place[levels] + scale[levels] * rng.normal(size=n_rows)
        split = rng.permutation(np.arange(n_rows) % 4).astype(np.int8)
        dataset = Dataset(levels[:, None].astype(float), ("kind",), split=np.minimum(split, 2), context=0)
        scored = ScoredTable.of(dataset, scores)
        threshold = scored.choose("conformal", rate=rate)
        shares.append(threshold.flag(scored.scores[scored.rows("test")]).mean())
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= rate + 3 * error
    assert np.mean(shares) >= rate / 2  # and it is used: the promise is not kept by flagging nothing


def test_a_saved_detector_scores_a_new_file_as_the_table_it_learned_from(trained):
    _, scored, detector = trained
    _, file = _scored(detector, _machines(6000))
    np.testing.assert_allclose(file["anomaly_score"], scored.scores, rtol=1e-6)
    again = from_bytes(to_bytes(detector))
    assert to_bytes(again) == to_bytes(detector)
    X = scored.dataset.X
    assert np.array_equal(again.anomaly_score(again.model(), X), detector.anomaly_score(detector.model(), X))


def test_a_file_without_calibration_scores_by_the_model_as_before(trained):
    model, scored, detector = trained
    old = from_bytes(to_bytes(replace(detector, level_calibration=None)))
    assert old.level_calibration is None
    found, *_ = Scorer(old).score(_machines(6000))
    np.testing.assert_allclose(found.score, model.anomaly_score(scored.dataset.X), rtol=1e-6)


def test_summary_and_scored_table_name_small_and_unseen_levels(trained):
    _, _, detector = trained
    later = _machines(50, seed=3)
    later.loc[:4, "machine"] = "lathe"
    summary, scored = _scored(detector, later)
    assert any("without training rows" in note for note in summary.notes)
    assert np.isfinite(scored["anomaly_score"]).all()
    assert not any("without training rows" in note for note in _scored(detector, later[5:])[0].notes)
    few = pd.concat([_machines(900), _machines(5).assign(machine="press")], ignore_index=True)
    dataset, _ = make_table_dataset(few, roles="context=3", split="random")
    scored = ScoredTable.of(dataset, np.random.default_rng(0).permutation(len(dataset)).astype(float))
    assert any("press" in note and "rows)" in note for note in scored.notes())
    assert scored.level_calibration.score_label == "-log tail probability within the level of machine (nats)"
    assert ScoredTable.of(replace(dataset, context=None), scored.scores).notes() == []


def test_rows_labelled_as_anomalies_do_not_count_in_their_levels_tail():
    rng = np.random.default_rng(0)
    levels = np.repeat([0.0, 1.0], 1000)
    y = ((np.arange(2000) % 5 == 0) & (levels == 1)).astype(np.int8)
    dataset = Dataset(levels[:, None], ("kind",), y=y, train_on="all", context=0)
    scored = ScoredTable.of(dataset, rng.normal(50.0 * y))
    normal = y == 0
    shares = [(scored.scores[normal & (levels == level)] > np.log(20)).mean() for level in (0, 1)]
    assert shares == pytest.approx([0.05, 0.05], abs=0.02)


def test_reasons_and_repair_speak_of_the_same_score(trained):
    model, scored, detector = trained
    row = int(np.argmax(scored.scores))
    assert views.reasons(model, scored.dataset, row).score == pytest.approx(scored.scores[row])
    found = views.repaired(model, scored.dataset, row, detector.threshold.value)
    assert found.before == pytest.approx(scored.scores[row])
    assert found.succeeded and found.after < detector.threshold.value


def test_the_report_names_the_unit_of_the_score_and_the_levels_that_borrow(trained):
    _, scored, detector = trained
    spec = RunSpec(Spec("upload"), detector.spec)
    page = detection_report("machines", spec, scored, detector.threshold).decode()
    assert "an anomaly score, the -log tail probability within the level of machine (nats), of at least" in page
    rows = scored.rows("train")
    few = scored.dataset.X.copy()
    few[rows[:7], scored.dataset.context] = 2.0
    named = replace(scored.dataset, X=few, levels=("saw", "mill", "press"))
    page = detection_report("machines", spec, ScoredTable.of(named, scored.scores), detector.threshold).decode()
    assert "fewer than 100 training rows are judged partly among the rows of all levels: press (7 rows)." in page


def test_arrays_that_do_not_fit_together_are_refused(trained):
    arrays = trained[2].level_calibration.to_arrays()
    assert LevelCalibration.from_arrays({}, 3) is None
    for name, value in {"n_knots": np.array([1, 1, 1]), "column": np.array(9), "levels": np.array([0.0])}.items():
        with pytest.raises(ValueError, match="shape"):
            LevelCalibration.from_arrays({**arrays, f"level_calibration.{name}": value}, 3)
