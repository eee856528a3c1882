"""What people hold from version 0.1.0 still works: a store of runs, a detector file, links to every view.

Uploaded tables are encoded in another way since, so a link to a run on one opens, and asks to train it again.
"""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from flowlab import catalog
from flowlab.__main__ import main
from flowlab.jobs import JobRunner
from flowlab.store.runs import RunStore

ROOT = Path(__file__).parents[2]
WRITTEN = Path(__file__).parent / "written_by_0_1_0"
KNOWN = json.loads((WRITTEN / "known.json").read_text())
"""What 0.1.0 said of its runs: id, link, steps, losses, and the scores of twenty rows."""
RUNS = [name for name in KNOWN if "query" in KNOWN[name]]
ON_TABLES = [name for name in RUNS if "data.digest" in KNOWN[name]["query"]]
FINISHED = [name for name in RUNS if KNOWN[name]["status"] == "done"]
PAGES = {
    "table": "pages/1_data.py",
    "train": "pages/2_train.py",
    "explore": "pages/3_explore.py",
    "compare": "pages/4_compare.py",
    "detect": "pages/5_detect.py",
    "score": "pages/6_score.py",
    "learn": "pages/7_learn.py",
}
"""Scripts of the pages, by the prefix of their settings in a link."""

MOONS = "data=moons&data.n_samples=400"
SPLINE = f"{MOONS}&model=spline&model.n_layers=2&model.n_steps=60"
ORDERS = "data=upload&data.digest=00bbe0d671bac09f&data.name=orders.csv&data.label=fraud&data.time=ordered"
TABLE = f"{ORDERS}&model=maf&model.n_layers=2&model.n_steps=60&model.hidden_features=16"
DETECTOR = f"{ORDERS}&model=detector&model.n_flows=1&model.n_steps=60&model.n_layers=2&model.hidden_features=16"
PAUSED = f"{MOONS}&model=affine&model.n_layers=2&model.n_steps=120&model.hidden_features=16&seed=3"
BOTH = f"{SPLINE}&compare.runs=fcbceeeaff3c32ca.2c516e8e77b828ec"
LINKS = [
    (
        f"{SPLINE}&explore.view=Density&explore.quantity=log_density&explore.contours=false&explore.points=true",
        {"View": "Density", "Quantity": "log_density", "Contours": False, "Rows": True},
        "0.886 nats above the truth",
    ),
    (
        f"{SPLINE}&explore.view=Samples&explore.n=500&explore.seed=3&explore.temperature=0.8&explore.beside=true",
        {"View": "Samples", "Samples": 500, "Seed": 3, "Temperature": 0.8, "Side by side": True},
        "",
    ),
    (
        f"{SPLINE}&explore.view=Latent&explore.play=Points&explore.color=score&explore.after=1",
        {"View": "Latent", "Latent": "Points", "Colour by": "score", "After layer": 1},
        "",
    ),
    (
        f"{SPLINE}&explore.view=Latent&explore.play=Move z&explore.start=zero&explore.move1=0.5&explore.move2=-0.25",
        {"Latent": "Move z", "Start at": "zero", "z1": 0.5, "z2": -0.25},
        "norm of z **0.56**",
    ),
    (
        f"{SPLINE}&explore.view=Latent&explore.play=Between two rows&explore.row=5&explore.to=9&explore.arc=true",
        {"Latent": "Between two rows", "From row": 5, "To row": 9, "Great circle": True},
        "great circle in latent space",
    ),
    (f"{SPLINE}&explore.view=Layers&explore.layer=1&explore.row=21", {"View": "Layers"}, "**Layer 1** moves row 21"),
    (
        f"{TABLE}&explore.view=Layers&explore.plane=two columns&explore.col1=3&explore.col2=2",
        {"View": "Layers", "Plane": "two columns", "Across": 3, "Up": 2},
        "",
    ),
    (
        f"{SPLINE}&explore.view=Coupling&explore.layer=2&explore.row=7&explore.jacobian=The whole flow",
        {"View": "Coupling", "Layer": 2, "Row": 7, "Jacobian of": "The whole flow"},
        "Jacobian of the whole flow at row 7",
    ),
    (
        f"{TABLE}&explore.view=Coupling&explore.layer=2&explore.reads=2&explore.changes=3",
        {"View": "Coupling", "Layer": 2, "Reads feature": 2, "Changes feature": 3},
        "Layer 2 does not read feature 2 for s and t of feature 3",
    ),
    (
        f"{SPLINE}&explore.view=Receipt&explore.row=17",
        {"View": "Receipt", "Row (or click a point)": 17},
        "−0.941 nats",
    ),
    (
        f"{SPLINE}&explore.view=Bridge&explore.line=-1,0,1,0&explore.end=end",
        {"View": "Bridge", "A click sets": "end"},
        "−2.351 nats",
    ),
    (
        f"{TABLE}&explore.view=Bridge&explore.row=3&explore.to=8",
        {"View": "Bridge", "From row": 3, "To row": 8},
        " nats",
    ),
    (f"{SPLINE}&explore.view=Margins&explore.column=1", {"View": "Margins", "Column": 1}, ""),
    (f"{SPLINE}&explore.view=Film&explore.step=13", {"View": "Film"}, "Fork from step 13"),
    (f"{SPLINE}&explore.view=Trust", {"View": "Trust"}, "Round trip"),
    (f"{DETECTOR}&explore.view=Rows&explore.color=score", {"View": "Rows", "Colour by": "score"}, ""),
    (
        f"{TABLE}&explore.view=Pairs&explore.columns=0,1,2",
        {"View": "Pairs", "Columns": [0, 1, 2]},
        "The samples differ most in amount and weight",
    ),
    (
        f"{TABLE}&explore.view=Density&explore.row=12&explore.col1=1&explore.col2=3",
        {"View": "Density", "At the values of row": 12, "Across": 1, "Up": 3},
        "",
    ),
    (f"{PAUSED}&explore.view=Density", {"View": "Density"}, "step 60 of 120, paused"),
    (
        f"{DETECTOR}&detect.tab=Curves&detect.rule=quantile&detect.quantile_share=0.05",
        {"Show": "Curves", "Rule": "quantile", "Flagged share": 0.05},
        "top 5 %: 4 of 80 rows",
    ),
    (
        f"{DETECTOR}&detect.tab=ROC and precision-recall&detect.rule=manual&detect.threshold=1.5",
        {"Show": "ROC and precision-recall", "Rule": "manual", "Threshold": 1.5},
        "Set by hand to 1.5",
    ),
    (
        f"{DETECTOR}&detect.tab=Rules&detect.rule=cost&detect.cost_c_missed=9&detect.unit=minutes",
        {"Show": "Rules", "Rule": "cost", "Price of a missed row": 9.0, "Tolerance in": "minutes"},
        "Least cost on 80 rows:",
    ),
    (f"{DETECTOR}&detect.tab=Over time&detect.log=false", {"Show": "Over time", "Log counts": False}, ""),
    (
        f"{DETECTOR}&detect.tab=Flagged rows&detect.row=33&detect.repair=true",
        {"Show": "Flagged rows", "Repair this row": True},
        "**Row 33** · score",
    ),
    (f"{DETECTOR}&detect.tab=Audit without labels", {"Show": "Audit without labels"}, ""),
    (
        f"{BOTH}&compare.section=Rows in dispute&compare.axes=values&compare.alarms=10",
        {"Section": "Rows in dispute", "Axes": "values", "Alarms (%)": 10.0},
        "",
    ),
    (
        f"{BOTH}&compare.section=Agreement&compare.coder=Autoencoder&compare.density=Spline flow",
        {"Section": "Agreement", "Reconstruction of": "Autoencoder", "Likelihood of": "Spline flow"},
        "",
    ),
    (
        f"{BOTH}&compare.section=Samples",
        {"Section": "Samples", "Models on these rows": ["fcbceeeaff3c32ca", "2c516e8e77b828ec"]},
        "",
    ),
    (
        f"{BOTH}&compare.section=Maps&compare.arrows=false",
        {"Section": "Maps", "Arrows from points to their reconstructions": False},
        "",
    ),
    (
        f"{BOTH}&compare.section=Error as likelihood&compare.sigma=0.5",
        {"Section": "Error as likelihood", "Sigma (standard deviations)": 0.5},
        "",
    ),
    (
        f"{BOTH}&compare.section=Sweeps&compare.sweep=Layers",
        {"Section": "Sweeps", "Sweep": "Layers"},
        "0 of 5 runs finished",
    ),
    (
        f"{ORDERS}&table.tab=Columns",
        {"Show": "Columns", "Source": "Uploaded table"},
        "400 rows, 6 columns, 93 missing cells",
    ),
    (
        f"{ORDERS}&table.tab=Two columns&table.x=weight&table.y=paid",
        {"Show": "Two columns", "Across": "weight", "Up": "paid"},
        "187 train rows",
    ),
    (f"{ORDERS}&table.tab=Correlation", {"Show": "Correlation", "Label column": "fraud"}, ""),
    (f"{ORDERS}&table.tab=Rows", {"Show": "Rows", "Time column": "ordered"}, ""),
    (f"{ORDERS}&table.tab=Over time&table.over=weight", {"Show": "Over time", "Column": "weight"}, ""),
    (f"{MOONS}&table.source=Your own drawing", {"Source": "Your own drawing"}, ""),
    (f"{PAUSED}&train.x=1", {"Seed": 3, "Steps": 120}, "step 60 of 120"),
    (
        f"{MOONS}&model=affine&model.n_layers=2&from=fcbceeeaff3c32ca@36&train.x=1",
        {"Model": "affine"},
        "forked at step 36",
    ),
    (
        f"{DETECTOR}&score.source=The present run",
        {"Detector": "The present run"},
        "Detector trained on 187 rows of orders.csv; rows with a score of at least",
    ),
    (f"{MOONS}&score.source=A detector file", {"Detector": "A detector file"}, ""),
    ("learn.lesson=clump", {}, "A perfect density misses the anomaly"),
]
"""A link, what its controls then hold, and words on the page."""


@pytest.fixture(scope="module")
def server(own_server):
    """`dashboard.shell.services` on a copy of the store, with the runs on tables trained again."""
    shutil.copytree(WRITTEN / "store", own_server.store().root, dirs_exist_ok=True)
    for name in ON_TABLES:
        run_id = own_server.runner().submit(own_server.store().load(KNOWN[name]["run_id"]).spec)
        wait_for(own_server.runner(), run_id)
    return own_server


def wait_for(runner: JobRunner, run_id: str) -> None:
    """Until the run is done and on disk."""
    deadline = time.monotonic() + 60
    while (status := runner.status(run_id)).state != "done" or status.settling:
        assert time.monotonic() < deadline and status.state != "failed", status
        time.sleep(0.05)


def open_link(link: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    query = dict(parse_qsl(link, keep_blank_values=True))
    page = next(name for name in PAGES if any(key.startswith(f"{name}.") for key in query))
    for key, value in query.items():
        at.query_params[key] = value
    at.switch_page(PAGES[page])
    at.run()
    return at


def controls(at: AppTest) -> dict[str, list]:
    """Values of the widgets by their labels; those of the side and those of the page may have the same."""
    kinds = ("number_input", "selectbox", "toggle", "slider", "radio", "multiselect", "button_group")
    found: dict[str, list] = {}
    for element in (element for kind in kinds for element in at.get(kind)):
        found.setdefault(element.label, []).append(element.value)
    return found


def words(at: AppTest) -> str:
    said = [element.value for element in (*at.markdown, *at.caption, *at.header, *at.info)]
    return " ".join([*said, *(element.proto.popover.label for element in at.get("popover"))]).replace("\\", "")


def fitted(store: RunStore, name: str):
    """Model and data set of a stored run."""
    run = store.load(KNOWN[name]["run_id"])
    dataset = catalog.make_dataset(run.spec.data, run.spec.seed, store.get_table)
    model = catalog.make_model(run.spec.model, run.spec.seed, dataset)
    model.set_state(run.state)
    return model, dataset


@pytest.fixture
def store(tmp_path) -> RunStore:
    """A copy of the store."""
    return RunStore(shutil.copytree(WRITTEN / "store", tmp_path / "store"))


def test_the_store_lists_every_run(store):
    assert {run.run_id for run in store.list()} == {KNOWN[name]["run_id"] for name in RUNS}
    assert sorted(run.run_id for run in store.list("anna")) == KNOWN["visitor"]["runs"]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_read_as_it_was_written(store, name):
    known = KNOWN[name]
    run = store.load(known["run_id"])
    assert (catalog.run_id(run.spec) == known["run_id"]) == (name not in ON_TABLES)
    assert run.spec.to_query() == known["query"]
    assert run.status == known["status"] and run.is_usable == (name in FINISHED)
    assert [event.step for event in run.events] == known["steps"]
    assert [event.train_loss for event in run.events] == known["train_loss"]
    assert run.frames.steps == known["frames"] and all(len(frame) for frame in run.frames)


@pytest.mark.parametrize("name", sorted({*FINISHED} - {*ON_TABLES}))
def test_a_stored_model_scores_as_it_did(store, name):
    model, dataset = fitted(store, name)
    scores = model.anomaly_score(dataset.X[KNOWN[name]["rows"]])
    assert scores == pytest.approx(KNOWN[name]["anomaly_score"], rel=1e-6, abs=1e-6)
    kept = store.load(KNOWN[name]["run_id"]).views["anomaly_score"]
    assert kept[KNOWN[name]["rows"]] == pytest.approx(scores, rel=1e-5, abs=1e-5)


def test_a_paused_run_goes_on_from_its_checkpoint(store):
    known = KNOWN["paused"]
    run_id = known["run_id"]
    runner = JobRunner(store, lanes=1, executor_factory=lambda: ThreadPoolExecutor(1))
    try:
        assert (runner.status(run_id).state, runner.status(run_id).step) == ("paused", 60)
        runner.resume(run_id)
        wait_for(runner, run_id)
    finally:
        runner.close()
    run = store.load(run_id)
    assert run.status == "done" and run.events[-1].step == 120
    before = [event for event in run.events if event.step <= 60]
    assert [event.train_loss for event in before] == known["train_loss"], "what was learned is not learned again"
    assert run.views["anomaly_score"].mean() == pytest.approx(known["mean_score_when_done"], abs=2e-3)


def test_a_fork_begins_at_a_checkpoint_that_was_kept(store):
    parent = store.load(KNOWN["spline"]["run_id"])
    assert parent.kept_steps == [4]
    fork = parent.spec.forked(parent.run_id, 4)
    runner = JobRunner(store, lanes=1, executor_factory=lambda: ThreadPoolExecutor(1))
    try:
        run_id = runner.submit(fork)
        wait_for(runner, run_id)
    finally:
        runner.close()
    # the settings are the parent's, so it arrives where the parent did
    known = KNOWN["spline"]
    model, dataset = fitted(store, "spline")
    model.set_state(store.load(run_id).state)
    assert model.anomaly_score(dataset.X[known["rows"]]) == pytest.approx(known["anomaly_score"], abs=2e-3)


def test_a_detector_file_of_a_table_asks_to_be_trained_again(tmp_path, capsys):
    detector, table, scored = WRITTEN / "orders.detector", WRITTEN / "orders.csv", tmp_path / "scored.csv"
    assert main(["score", str(detector), str(table), "-o", str(scored), "--lanes", "0"]) == 1
    assert "train it again on the same table" in capsys.readouterr().err and not scored.exists()


@pytest.mark.parametrize(
    "link, held, said", LINKS, ids=[link.partition("&model=")[2][-70:] or link for link, *_ in LINKS]
)
def test_a_link_opens_what_it_opened(server, link, held, said):
    at = open_link(link)
    assert not at.exception and not at.error, [*at.exception, *(error.value for error in at.error)]
    found = controls(at)
    for label, value in held.items():
        assert value in found.get(label, []), (label, found.get(label))
    text = words(at)
    assert said in text and "There is no" not in text
    wanted = dict(parse_qsl(link))
    assert wanted.items() <= at.session_state.link.query.items()
