"""A link names a run: what links of 0.1.0 named is still named so, and learns the same.

But uploaded tables, which are encoded in another way since (`encoding.encoder.VERSION`), and the detector, of other
members since: their runs are new ones.
"""

from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest

from flowlab import catalog
from flowlab.jobs import run_slice
from flowlab.records import RunSpec
from flowlab.store.runs import RunStore

STORE = Path(__file__).parent / "written_by_0_1_0" / "store"
"""Holds the table of the two uploads."""

RUNS = {
    "default": ("data=moons&model=spline", "672a405ca9f5d08d"),
    "seed": ("data=rings&data.n_rings=2&model=affine&model.n_layers=4&seed=7", "11dd6b7dcdac2035"),
    "checkerboard": (
        "data=checkerboard&data.n_samples=2000&model=maf&model.permutation=random&model.activation_norm=true",
        "4d00960d6d35eea8",
    ),
    "one dimension": ("data=clump_1d&data.n_samples=1000&model=spline&model.n_layers=2", "3758c9f09bba2b88"),
    "anomalies": (
        "data=moons&data.n_samples=1000&data.anomaly_share=0.05&model=neighbours&model.n_neighbors=7",
        "7403977b0f699961",
    ),
    "conditional": (
        "data=moons&data.n_samples=1000&data.by_class=true&model=spline&model.n_layers=2",
        "46452f2df4d6f5ec",
    ),
    "no log-determinant": (
        "data=moons&data.n_samples=1000&model=affine&model.fault=no+log-determinant",
        "4af10c5d75c36fcf",
    ),
    "no mask": ("data=moons&data.n_samples=1000&model=maf&model.fault=no+mask", "2d9ee897ef825bac"),
    "typed mask": ("data=iris&model=affine&model.mask=0110&model.scale_map=clamp", "053c819d39e56cdc"),
    "sweep, beta": ("data=moons&data.n_samples=1000&model=vae&model.n_latent=1&model.beta=0.3", "e57df15ff5247263"),
    "sweep, code": ("data=wine&data.train_on=all&model=autoencoder&model.n_latent=3", "8a7f936f4e32782e"),
    "nflows": ("data=moons&data.n_samples=1000&model=nflows_coupling&model.n_layers=3", "fc8ee9494bfc3a8d"),
    "simulated": ("data=malware&data.n_rows=1000&data.stuffing=0.5&model=forest&model.n_trees=50", "121cbe7c7e090fb8"),
    "upload": (
        "data=upload&data.digest=00bbe0d671bac09f&data.label=fraud&data.name=orders.csv&data.time=ordered&model=detector&model.n_flows=1&model.n_steps=60",
        "339f7a53b5574757",
    ),
    "upload, context": (
        "data=upload&data.digest=00bbe0d671bac09f&data.label=fraud&data.name=orders.csv&data.roles=context%3D4&data.clock=true&model=maf&model.n_layers=3",
        "3bb744a732b7d92f",
    ),
    "fork": (
        "data=moons&data.n_samples=1000&model=affine&model.learning_rate=0.02&from=3f9a0c1d77e2ab41%40120",
        "8e314e9898364772",
    ),
}
"""Name: the link and the id of the run it names."""

MEAN_SCORES = {
    "checkerboard": 3.1844,
    "conditional": 2.0439,
    "no mask": 2.0306,
    "typed mask": 6.532,
    "sweep, code": 44.8085,
    "upload, context": 20.7911,
}
"""Mean anomaly score of the test rows after 40 steps, as 0.1.0 gave it."""


def spec_of(name: str) -> RunSpec:
    """The spec that a link asks for, which must say nothing that the catalog does not know."""
    spec, problems = RunSpec.from_query(dict(parse_qsl(RUNS[name][0])), catalog.DEFAULT)
    spec, more = catalog.tidy(spec)
    assert not problems + more
    return spec


@pytest.mark.parametrize("name", RUNS)
def test_a_link_names_the_run_it_always_named(name):
    link, run_id = RUNS[name]
    spec = spec_of(name)
    assert catalog.run_id(spec) == run_id
    assert spec.to_query() == dict(parse_qsl(link)), "the link is written as it was"
    assert catalog.run_id(RunSpec.from_json(spec.to_json())) == run_id


@pytest.mark.parametrize("name", MEAN_SCORES)
def test_a_run_learns_what_it_always_learned(name):
    spec = spec_of(name)
    dataset = catalog.dataset_of(spec, RunStore(STORE).get_table)
    checkpoint = run_slice(spec, None, 40, dataset, with_frame=False).checkpoint
    model = catalog.make_model(spec.model, spec.seed, dataset)
    model.set_state({key: value for key, value in checkpoint.items() if not key.startswith("train.")})
    assert np.mean(model.anomaly_score(dataset.part("test"))) == pytest.approx(MEAN_SCORES[name], rel=1e-4, abs=2e-3)
