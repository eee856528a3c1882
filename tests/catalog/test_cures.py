"""The table of cures: its runs can be carried out, and its numbers are those of the scores it is made of."""

import numpy as np
import pytest

from flowlab import catalog
from flowlab.catalog.cures import CURES, N_SEEDS, OUTSIDE, cure_runs, cure_table
from flowlab.images.pixels import rows_of
from flowlab.images.sets import make_patches, tried_pictures
from flowlab.images.shape import ImageShape
from flowlab.models.images.image_flow import ImageFlow
from flowlab.ranking import auroc
from flowlab.records import RunSpec, Spec
from flowlab.views.cures import tried_scores

SMALL = {"n_couplings": 1, "hidden_channels": 4, "n_steps": 3}


@pytest.mark.parametrize("params", [{}, {"photo": "flower", "out": "noise", "side": "16", "color": "colour"}])
def test_each_seed_has_the_same_runs_and_all_can_be_carried_out(params):
    by_seed = cure_runs(RunSpec(Spec("patches", params), Spec("affine"), 4))
    specs = [spec for runs in by_seed for spec in runs.values()]
    assert len(by_seed) == N_SEEDS and len({catalog.run_id(spec) for spec in specs}) == len(specs)
    assert all(catalog.tidy(spec) == (spec, []) for spec in specs)
    assert [runs["flow"].seed for runs in by_seed] == [4, 5, 6]
    assert {name for cure in CURES for name in (cure.model, cure.general) if name} == set(by_seed[0])
    assert all(spec.data.params.get("photo", "china") == params.get("photo", "china") for spec in [by_seed[0]["flow"]])


def test_the_run_of_the_photograph_is_the_one_that_other_pages_show():
    runs = cure_runs(RunSpec(Spec("patches"), Spec("image_flow")))[0]
    assert catalog.run_id(runs["flow"]) == catalog.run_id(RunSpec(Spec("patches"), Spec("image_flow")))


def made_up(seed):
    rng = np.random.default_rng(seed)
    names = ("likelihood", "finest scale", "coarsest scale", "png", "zlib", "typicality", "code", "classifier")
    return {kind: {name: rng.normal(j % 3, 1, 60) for name in names} for j, kind in enumerate(("inside", *OUTSIDE))}


def test_row_78_means_and_standard_errors_are_over_the_seeds_that_are_there():
    by_seed = [{"flow": made_up(s), "broad": made_up(s + 10)} for s in range(3)]
    del by_seed[2]["broad"]
    table = cure_table(by_seed)
    names = [cure.name for cure in CURES]
    plain, ratio, corrupted = (
        names.index(name) for name in ("-log p", "ratio to a broad set", "ratio to corrupted pictures")
    )
    assert table.n_seeds[plain] == 3 and table.n_seeds[ratio] == 2 and table.n_seeds[corrupted] == 0
    values = table.auroc[plain, 1]
    assert table.mean[plain, 1] == pytest.approx(values.mean())
    assert table.standard_error[plain, 1] == pytest.approx(values.std(ddof=1) / np.sqrt(3))
    assert np.isnan(table.mean[corrupted]).all() and np.isnan(table.standard_error[corrupted]).all()
    by_hand = [made_up(1)[kind]["likelihood"] - made_up(11)[kind]["likelihood"] for kind in ("inside", "noise")]
    expected = auroc(np.concatenate(by_hand), np.repeat([False, True], 60))
    assert table.auroc[ratio, list(OUTSIDE).index("noise"), 1] == pytest.approx(expected)
    assert table.mean_row[plain] == pytest.approx(table.mean[plain].mean())


def test_what_is_tried_was_not_trained_on():
    learned = {row.tobytes() for row in make_patches(seed=3, n_images=3000).fitting_rows()}
    tried = tried_pictures("china", ImageShape(8, 8), 200, seed=3)
    assert list(tried) == ["inside", *OUTSIDE] and {len(pictures) for pictures in tried.values()} == {200}
    detailed = [row for row in rows_of(tried["inside"]) if row.std() > 0.05]
    assert len(detailed) > 50 and not {row.tobytes() for row in detailed} & learned


def test_row_77_a_classifier_and_every_other_score_are_columns_of_the_table(monkeypatch):
    monkeypatch.setattr("flowlab.views.cures.N_TRIED", 60)
    monkeypatch.setattr("flowlab.views.cures.CODE_STEPS", 20)
    data = make_patches(n_images=200)
    flow = ImageFlow(**SMALL).fit(data.fitting_rows())
    found = tried_scores(flow, data, "china", 0, further=True)
    assert set(found) == {"inside", *OUTSIDE}
    needed = {cure.score for cure in CURES}
    assert all(needed <= set(scores) and np.isfinite(list(scores.values())).all() for scores in found.values())
    assert found["noise"]["likelihood"] == pytest.approx(
        flow.anomaly_score(rows_of(tried_pictures("china", ImageShape(8, 8), 60, 0)["noise"]))
    )
