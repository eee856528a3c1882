"""Nonsense in a link is harmless: no setting that a page reads from its link can make it crash."""

import pytest
from pages_driver import open_page, rerun, train

from flowlab.dashboard.shell import state
from flowlab.dashboard.shell.pages import settings
from flowlab.detection.rules import RULES

DATA = {"data": "moons", "data.n_samples": "600", "data.anomaly_share": "0.05"}
FLOW = {**DATA, "model": "affine", "model.n_layers": "2", "model.n_steps": "50"}
CODER = {**DATA, "model": "autoencoder", "model.n_steps": "50"}
WINE = {"data": "wine", "model": "affine", "model.n_layers": "2", "model.n_steps": "50"}
GIVEN = {
    "data": "moons",
    "data.n_samples": "600",
    "data.by_class": "true",
    **{k: FLOW[k] for k in FLOW if "model" in k},
}

N_OPENINGS = 3
NONSENSE = ("-3", "1e999", "1e300", "9" * 25, "nan", "", "Dreams", "<b>7</b>")

VIEWS = ("Density", "Samples", "Latent", "Layers", "Coupling", "Receipt", "Bridge", "Margins", "Film", "Trust")
TABS = ("Curves", "ROC and precision-recall", "Rules", "Flagged rows", "Audit without labels")
SECTIONS = ("Error as likelihood", "Rows in dispute", "Agreement", "Samples", "Maps", "Sweeps")
PLACES = [
    *(("data", FLOW, {"tab": tab}) for tab in ("Two columns", "Columns", "Correlation", "Rows")),
    ("data", WINE, {}),
    ("train", FLOW, {}),
    ("explore", FLOW, {}),
    *(("explore", FLOW, {"view": view}) for view in VIEWS),
    *(("explore", FLOW, {"view": "Latent", "play": play}) for play in ("Move z", "Between two rows")),
    ("explore", CODER, {"view": "Rows"}),
    ("explore", WINE, {"view": "Pairs"}),
    ("explore", GIVEN, {"view": "Density"}),
    ("compare", FLOW, {}),
    *(("compare", FLOW, {"section": section}) for section in SECTIONS),
    ("detect", FLOW, {}),
    *(("detect", FLOW, {"tab": tab}) for tab in TABS),
    *(("detect", FLOW, {"rule": rule, "tab": "Curves"}) for rule in (*RULES, "manual")),
    ("score", FLOW, {}),
    ("score", FLOW, {"source": "A detector file"}),
    ("learn", FLOW, {}),
]
"""Page, run and the settings that say which part of the page is open."""


@pytest.fixture(scope="module", autouse=True)
def compared(own_server):
    """A finished run of each kind in a store of this file's own; the ids of those that can be compared."""
    return train(FLOW, CODER, WINE, GIVEN)[:2]


@pytest.fixture
def read(monkeypatch):
    """The settings that pages have read from the link, as (page, name)."""
    names = set()

    def noted(get):
        def spy(page, name, *default):
            names.add((page, name))
            return get(page, name, *default)

        return spy

    monkeypatch.setattr(state, "view", noted(state.view))
    monkeypatch.setattr(state, "asked", noted(state.asked))
    return names


@pytest.mark.parametrize(
    "page, run, place", PLACES, ids=[" ".join([page, *place.values()]) for page, _, place in PLACES]
)
def test_nonsense_in_every_setting_of_a_page_is_harmless(page, run, place, read, compared):
    given = place
    if page == "compare" and place:
        place = {**place, "runs": ".".join(compared)}
    prefix = settings(page)
    open_page(page, run, **place)
    # Each opening gives the settings different texts. One that many places read meets all texts, others meet three.
    first = PLACES.index((page, run, given))
    for k in range(first, first + N_OPENINGS):
        names = sorted({name for of_page, name in read if of_page == prefix} - set(place))
        texts = {name: NONSENSE[(i + k) % len(NONSENSE)] for i, name in enumerate(names)}
        open_page(page, run, **place, **texts)


@pytest.mark.parametrize("names", [{}, {"data": "moons", "model": "affine"}], ids=["names too", "numbers only"])
def test_nonsense_in_what_names_the_run_is_harmless(names):
    for text in NONSENSE:
        open_page("train", dict.fromkeys((*FLOW, "seed", "from"), text) | names)


def test_a_crash_of_a_page_fails_the_test_with_its_traceback(monkeypatch):
    at = open_page("explore", FLOW)
    monkeypatch.setattr("flowlab.dashboard.explore.page.page", lambda: 1 / 0)
    for run in (lambda: open_page("explore", FLOW), lambda: rerun(at)):
        with pytest.raises(AssertionError, match="(?s)the page crashed:.*division by zero") as failure:
            run()
        assert "3_explore.py" in str(failure.value), "the traceback"


@pytest.mark.parametrize(
    "page, view, sentence",
    [
        ("data", {"tab": "Dreams"}, "There is no tab “Dreams” here; “Two columns” is shown."),
        ("learn", {"lesson": "dreams"}, "There is no lesson “dreams” here; “"),
        ("score", {"source": "dreams"}, "There is no source “dreams” here; “"),
        ("detect", {"rule": "dreams"}, "There is no rule “dreams” here; “"),
        ("detect", {"tab": "Dreams"}, "There is no tab “Dreams” here; “Flagged rows” is shown."),
        ("compare", {"alarms": 99}, "There is no share of alarms “99” here; “50.0” is shown."),
    ],
)
def test_every_page_says_once_what_its_link_asked_for_and_it_has_not(page, view, sentence, compared):
    runs = {"runs": ".".join(compared)} if page == "compare" else {}
    at = open_page(page, FLOW, **view, **runs)
    said = [caption.value for caption in at.caption if "There is no" in caption.value]
    assert len(said) == 1 and sentence in said[0].replace("\\", "")
    assert not [caption for caption in rerun(open_page(page, FLOW, **runs)).caption if "There is no" in caption.value]
