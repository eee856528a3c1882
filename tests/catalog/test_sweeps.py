"""The specs that the Compare page offers to train: all can be carried out, and none stands twice."""

import numpy as np
import pytest

from flowlab import catalog
from flowlab.catalog.sweeps import MEASURES, MORE_SEEDS, code_size, comparison_set, more_seeds, sweeps
from flowlab.records import RunSpec, Spec

MOONS = RunSpec(Spec("moons"), Spec("spline"), 3)
WINE = RunSpec(Spec("wine"), Spec("forest"))


@pytest.mark.parametrize("n_features, size", [(1, 1), (2, 1), (3, 2), (13, 3), (64, 16), (1000, 64)])
def test_a_code_is_a_quarter_of_the_columns(n_features, size):
    assert code_size(n_features) == size


@pytest.mark.parametrize("present, n_features, names", [
    (MOONS, 2, ["spline", "autoencoder", "vae", "kde", "forest"]),
    (WINE, 13, ["forest", "maf", "autoencoder", "vae", "kde"]),
])  # fmt: skip
def test_the_set_has_a_flow_and_no_run_twice(present, n_features, names):
    specs = comparison_set(present, n_features)
    assert [spec.model.name for spec in specs] == names
    assert {(spec.data, spec.seed) for spec in specs} == {(present.data, present.seed)}
    vae = next(spec for spec in specs if spec.model.name == "vae")
    assert catalog.MODELS["vae"].complete(vae.model).params["n_latent"] == code_size(n_features)


def test_more_seeds_change_the_seed_alone():
    others = more_seeds(MOONS)
    assert [spec.seed for spec in others] == [4, 5] and len(others) == MORE_SEEDS
    assert {(spec.data, spec.model) for spec in others} == {(MOONS.data, MOONS.model)}


@pytest.mark.parametrize("has_labels", [True, False])
@pytest.mark.parametrize("present, n_features", [(MOONS, 2), (WINE, 13)])
def test_each_sweep_varies_one_setting_inside_the_ranges_of_the_catalog(present, n_features, has_labels):
    offered = sweeps(present, n_features, has_labels)
    assert list(offered) == ["Code size", "Beta", "Layers", "Network depth"] + ["Rows"] * (present is MOONS)
    settings = {
        "Code size": "n_latent", "Beta": "beta", "Layers": "n_layers", "Network depth": "n_hidden", "Rows": "n_samples",
    }  # fmt: skip
    for name, sweep in offered.items():
        measures = [measure for chart in sweep.charts for measure in chart.measures.values()]
        assert set(measures) <= set(MEASURES) and ("auroc" in measures) == (has_labels and name != "Rows")
        for specs in sweep.series.values():
            entries = catalog.DATASETS if name == "Rows" else catalog.MODELS
            parts = [spec.data if name == "Rows" else spec.model for spec in specs]
            values = [entries[part.name].complete(part).params[settings[name]] for part in parts]
            assert values == sweep.values
            assert all(catalog.tidy(spec) == (spec, []) for spec in specs)
        assert len({catalog.run_id(spec) for spec in sweep.specs()}) == len(sweep.specs())


@pytest.mark.parametrize("present", ["spline", "affine", "maf"])
def test_the_sweep_of_layers_speaks_of_the_family_that_is_swept(present):
    """What one layer leaves as it was: half of the columns after a coupling, the first after an autoregressive one."""
    sweep = sweeps(RunSpec(Spec("moons"), Spec(present)), 4, False)["Layers"]
    assert {spec.model.name for spec in sweep.specs()} == {present}
    what = sweep.what
    assert ("coupling layer" in what) == (present != "maf") and ("autoregressive layer" in what) == (present == "maf")
    X = np.random.default_rng(0).normal(size=(300, 4))
    flow = catalog.MODELS[present].make(n_layers=1, n_steps=60).fit(X)
    z = flow.layer_readout(X)[0][0]
    by_row = z.std(axis=0) > 1e-6
    kept = (z == 0).all(axis=0)
    if present == "maf":
        assert by_row.sum() == 3, "the scale of the first column is the same in every row"
    else:
        assert kept.sum() == 2


PATCHES = RunSpec(Spec("patches"), Spec("image_flow", {"n_steps": 50}), 2)


def test_row_57_a_bottleneck_is_swept_over_seeds():
    sweep = sweeps(PATCHES, 64, True)["Bottleneck"]
    assert sweep.over_seeds and len(sweep.series) == 3
    for seed, specs in enumerate(sweep.series.values(), start=2):
        assert [spec.model.params["bottleneck"] for spec in specs] == sweep.values
        assert all(spec.seed == seed and spec.model.params["n_steps"] == 50 for spec in specs)
        assert all(catalog.tidy(spec) == (spec, []) for spec in specs)
    assert [list(chart.measures.values()) for chart in sweep.charts] == [["loss"], ["auroc"]]


def test_row_73_the_general_model_of_a_ratio_is_corrupted_more_and_more():
    sweep = sweeps(PATCHES, 64, True)["Corrupted background"]
    for specs in sweep.series.values():
        assert [spec.model.params.get("corruption", 0.0) for spec in specs] == sweep.values
    without = sweep.series["seed 2"][0]
    assert catalog.run_id(without) == catalog.run_id(PATCHES), "the model that is scored is the present run"
    assert "Corrupted background" not in sweeps(PATCHES, 64, False)
