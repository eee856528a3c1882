"""The Explore page in the script runner: every view of every kind of model draws, and the link brings it back."""

import base64
import json

import numpy as np
import pages_driver
import pytest
from pages_driver import enter, in_link, labelled, press, said, train, wait_for_run
from streamlit.testing.v1 import AppTest

from flowlab import catalog
from flowlab.records import RunSpec, Spec

MOONS = RunSpec(Spec("moons", {"n_samples": 1000}), Spec("affine", {"n_layers": 3, "n_steps": 60}))
RUNS = {
    "moons": MOONS,
    "kde": RunSpec(Spec("moons", {"n_samples": 1000}), Spec("kde")),
    "curve": RunSpec(Spec("clump_1d", {"n_samples": 1000}), Spec("spline", {"n_layers": 2, "n_steps": 60})),
    "classes": RunSpec(
        Spec("moons", {"n_samples": 1000, "by_class": True}), Spec("spline", {"n_layers": 2, "n_steps": 60})
    ),
    "unconditioned": RunSpec(Spec("moons", {"n_samples": 1000, "by_class": True}), Spec("kde")),
    "wide": RunSpec(Spec("table_64d", {"n_samples": 500}), Spec("affine", {"n_layers": 2, "n_steps": 50})),
}


@pytest.fixture(scope="module", autouse=True)
def runs(own_server):
    """A store with a tiny finished run of each kind, and one runner, for the whole file."""
    train(*RUNS.values())


def open_page(name: str = "moons", **view: object) -> AppTest:
    return pages_driver.open_page("explore", RUNS[name], **view)


def figures(at: AppTest) -> list[dict]:
    return [json.loads(element.proto.spec) for element in at.get("plotly_chart")]


def numbers(value: list | dict) -> np.ndarray:
    """A plotly array, which may be packed in base 64."""
    return (
        np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"]) if isinstance(value, dict) else np.array(value)
    )


def packed(at: AppTest, name: str) -> tuple[dict, dict] | None:
    """Header and arrays of what a canvas component was sent last, None if there is none of this name."""
    protos = (element.proto for element in at.get("bidi_component"))
    block = next((proto.bytes for proto in protos if proto.component_name == f"flowlab_{name}"), None)
    if block is None:
        return None
    header = json.loads(block[4 : 4 + int.from_bytes(block[:4], "little")])
    kinds = {"f4": np.float32, "f2": np.float16, "u1": np.uint8, "u4": np.uint32}
    return header, {
        field: np.frombuffer(block, kinds[kind], int(np.prod(shape)), offset).reshape(shape)
        for field, kind, shape, offset in header["arrays"]
    }


def view_names(at: AppTest) -> list[str]:
    return [option.content for option in at.get("button_group")[0].proto.options]


def test_before_training_it_says_what_will_be_here_and_has_the_button():
    at = pages_driver.open_page("explore", {"data": "rings"})
    assert "density beside the truth" in said(at)
    assert "Train this model" in [button.label for button in at.button]


def test_a_flow_has_every_view():
    at = open_page()
    names = view_names(at)
    assert names[:8] == ["Density", "Samples", "Latent", "Layers", "Coupling", "Receipt", "Bridge", "Marginals"]
    assert "Probability inside the window" in said(at) and "above the truth" in said(at)
    kinds = [trace["type"] for trace in figures(at)[0]["data"]]
    assert kinds.count("heatmap") == 3 and kinds.count("contour") == 2


@pytest.mark.parametrize("quantity", ["density", "log_density", "energy"])
def test_density_quantities(quantity):
    figure = figures(open_page(quantity=quantity, contours="false", points="true"))[0]
    assert quantity.split("_")[0] in figure["layout"]["coloraxis"]["colorbar"]["title"]["text"]
    assert "contour" not in [trace["type"] for trace in figure["data"]]
    assert figure["data"][-1]["mode"] == "markers"


def test_the_receipt_of_the_row_in_the_link_adds_up():
    at = open_page(view="Receipt", row=17)
    assert at.number_input(key=next(n.key for n in at.number_input if n.label.startswith("Row"))).value == 17
    table = at.dataframe[0].value
    assert list(table["item"]) == ["scaling", "layer 1", "layer 2", "layer 3", "base"]
    assert table["change (nats)"].sum() == pytest.approx(table["total (nats)"].iloc[-1], abs=1e-3)
    assert "differ by" in said(at) and "nats" in at.latex[0].value


def test_the_bridge_follows_the_link():
    at = open_page(view="Bridge", line="-1,0,1,0")
    line = figures(at)[0]["data"][-1]
    assert numbers(line["x"]).tolist() == [-1, 1] and numbers(line["y"]).tolist() == [0, 0]
    assert "Lowest log-density of 201 places on the line" in said(at)


@pytest.mark.parametrize("view", ["Samples", "Latent", "Layers", "Coupling", "Margins", "Film", "Receipt", "Bridge"])
def test_every_view_of_a_flow_draws(view):
    at = open_page(view=view)
    assert not at.warning
    assert in_link(at, "explore.view") == view


@pytest.mark.parametrize("name", RUNS)
def test_the_badge_says_what_was_measured(name):
    words = said(open_page(name, view="Trust"))
    assert "generalisation" in words.lower() or "held" in words.lower()
    assert any(mark in words for mark in ("●", "▲", "■"))


def test_a_kernel_density_says_what_it_lacks():
    at = open_page("kde")
    assert view_names(at) == ["Density", "Samples", "Rows", "Bridge", "Marginals", "Trust"]
    assert "has no latent space, no layers, no receipt" in said(at)


@pytest.mark.parametrize("view", ["Density", "Samples", "Latent", "Layers", "Coupling", "Receipt", "Bridge", "Margins"])
def test_one_feature(view):
    assert not open_page("curve", view=view).warning


@pytest.mark.parametrize("view", ["Density", "Samples", "Latent", "Layers", "Coupling", "Receipt", "Bridge", "Margins"])
def test_sixty_four_features(view):
    at = open_page("wide", view=view)
    assert not at.warning
    if view == "Density":
        assert "a density cannot be drawn whole" in said(at)


@pytest.mark.parametrize(
    "view",
    [
        {"view": "Nonsense"},
        {"view": "Receipt", "row": 10**9},
        {"view": "Receipt", "row": "<b>7</b>"},
        {"view": "Layers", "layer": 99},
        {"view": "Layers", "layer": -3, "row": -1},
        {"view": "Bridge", "line": "nan,1,2,inf"},
        {"view": "Samples", "n": -5, "temperature": "1e999", "sample": 10**12},
        {"view": "Margins", "column": 77},
        {"view": "Latent", "color": "rainbow"},
        {"view": "Density", "quantity": "<script>"},
    ],
    ids=str,
)
def test_nonsense_in_the_link_is_harmless(view):
    at = open_page(**view)
    if view.get("layer") == 99:
        assert "this model has 3 layers" in said(at)


@pytest.mark.parametrize(
    "view, sentence",
    [
        ({"view": "layer"}, "There is no view “layer” here; “Layers” is shown."),
        ({"view": "Nonsense"}, "There is no view “Nonsense” here; “Density” is shown."),
        ({"view": "Receipt", "row": 5000}, "There is no row “5000” here; “999” is shown."),
        ({"view": "Layers", "row": "seven"}, "There is no row “seven” here; “"),
        ({"view": "Coupling", "layer": 9}, "There is no layer “9” here; “3” is shown."),
        ({"view": "Margins", "column": 77}, "There is no column “77” here; “x2” is shown."),
        ({"view": "Samples", "temperature": 9}, "There is no temperature “9” here; “2.0” is shown."),
    ],
    ids=str,
)
def test_what_does_not_exist_is_said_and_the_nearest_is_shown(view, sentence):
    assert sentence in said(open_page(**view))
    assert "There is no" not in said(open_page(view="Receipt", row=5)), "what exists needs no sentence"


def test_a_frame_of_the_film_is_forked_and_the_runs_race(monkeypatch):
    from flowlab.dashboard.shell import services, visitors

    monkeypatch.setattr(visitors, "of_cookies", lambda cookies: "f" * 32)  # one visitor's forks race
    step = services.run(MOONS).frames.steps[0]
    at = open_page(view="Film", step=step)
    assert not packed(at, "race"), "one run is no race"
    rate = next(n for n in at.number_input if n.label == "Learning rate" and "fork" in n.key)
    enter(at, rate, 0.02)
    assert f"Fork from step {step}" in [p.proto.popover.label for p in at.get("popover")]
    press(at, "fork.begin")
    assert not at.error
    fork = RunSpec(MOONS.data, Spec("affine", {**MOONS.model.params, "learning_rate": 0.02}), 0)
    fork = fork.forked(services.run_id(MOONS), step)
    assert in_link(at, "from") == fork.parent, "the Train page shows the fork, and its link names it"
    assert f"forked at step {step}" in said(at)
    wait_for_run(fork)
    events, before = services.run(fork).events, services.run(MOONS).events
    assert [e for e in events if e.step <= step] == [e for e in before if e.step <= step] and events[-1].step == 60
    RUNS["fork"] = fork
    try:
        for name in ("moons", "fork"):
            header, arrays = packed(open_page(name, view="Film"), "race")
            assert header["names"] == ["first run", f"step {step}: learning rate 0.02"]
            assert header["starts"] == [0, step] and header["present"] == (name == "fork")
            assert header["n_steps"] == 60 and len(arrays["steps"]) == sum(header["lengths"])
            assert arrays["steps"][header["lengths"][0]] == step and arrays["steps"][-1] == 60
    finally:
        del RUNS["fork"]


def test_what_a_fork_cannot_have_makes_it_a_new_run_and_is_said():
    from flowlab.dashboard.shell import services

    fork = MOONS.forked(services.run_id(MOONS), 20)
    at = pages_driver.open_page("train", fork)
    assert "forked at step 20" in said(at)
    enter(at, labelled(at.number_input, "Learning rate"), 0.03)
    assert "forked at step 20" in said(at) and in_link(at, "from")
    enter(at, labelled(at.slider, "Layers"), 5)
    assert "Layers cannot change in a fork" in said(at)
    assert "forked at" not in said(at) and in_link(at, "from") is None


@pytest.mark.parametrize("word", ["Margins", "Marginals"])
def test_a_link_may_say_margins_or_marginals(word):
    at = open_page(view=word, column=1)
    assert at.get("button_group")[0].value == "Margins" and in_link(at, "explore.view") == word
    assert "luck alone gives up to" in said(at) and "There is no" not in said(at)


def test_another_view_by_the_buttons_goes_into_the_link():
    at = open_page()
    enter(at, at.get("button_group")[0], "Margins")
    assert in_link(at, "explore.view") == "Margins"


@pytest.mark.parametrize("view", ["Density", "Samples", "Latent", "Layers", "Coupling", "Receipt", "Bridge", "Trust"])
@pytest.mark.parametrize("given", [-1, 1])
def test_a_flow_under_a_context_is_shown_given_a_level_or_all(view, given):
    at = open_page("classes", view=view, given=given)
    assert not [warning.value for warning in at.warning]
    if view in ("Density", "Samples", "Layers", "Bridge"):
        chosen = labelled(at.selectbox, "Given class")
        assert chosen.value == given
    if view == "Samples" and given == 1:
        assert set(at.dataframe[-1].value["class"]) == {"class 2"}


def test_a_model_that_cannot_be_conditioned_says_how_it_reads_the_context():
    words = said(open_page("unconditioned"))
    assert "Kernel density cannot be conditioned: it reads class as a number." in words


def test_row_107_rows_are_drawn_by_any_two_columns_and_coloured_by_their_score():
    at = open_page("wide", view="Latent", color="score", across=3, up=10)
    header, arrays = packed(at, "brush_code")
    dataset = catalog.make_dataset(RUNS["wide"].data, RUNS["wide"].seed)
    X = dataset.X
    assert header["axes"] == [dataset.columns[3], dataset.columns[10]]
    drawn = arrays["points"]
    distance = np.abs(drawn[:, None, 0] - X[None, :, 3]) + np.abs(drawn[:, None, 1] - X[None, :, 10])
    assert distance.min(axis=1).max() < 1e-3, "every point is a row in these two columns"
    order = np.argsort(arrays["score"], kind="stable")
    assert (np.diff(arrays["color"][order].astype(int)) >= 0).all(), "the colour follows the score"
    assert len(np.unique(arrays["color"])) > 100
