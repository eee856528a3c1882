"""A run as one HTML page: what is in it, how large it is, where it comes from, and what a notebook shows."""

import base64
import gzip
import json
import re
import sys
import types

import numpy as np
import pytest

from flowlab import catalog
from flowlab.__main__ import main
from flowlab.jobs.slices import run_slice
from flowlab.models.classical.density import KDE
from flowlab.models.detector import Detector
from flowlab.models.flows.families import SplineCouplingFlow
from flowlab.records import RunSpec, RunState, Spec
from flowlab.serving.film import Film, film, stored_film
from flowlab.store.runs import RunStore
from flowlab.toys.curves import Moons

SMALL = {"n_layers": 2, "hidden_features": 8, "n_steps": 200}


@pytest.fixture(scope="module")
def moons_film() -> Film:
    return SplineCouplingFlow(**SMALL).film(Moons(noise=0.05))


def shown(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="show">(.*?)</script>', page, re.DOTALL)[1])


def arrays(text: str) -> dict:
    """Header and arrays of a part, as the script unpacks them."""
    data = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(data[:4], "little")
    message = json.loads(data[4 : 4 + length])
    kinds = {"f4": np.float32, "f2": np.float16, "u1": np.uint8, "u4": np.uint32}
    for name, kind, shape, offset in message["arrays"]:
        message[name] = np.frombuffer(data, kinds[kind], int(np.prod(shape)), offset).reshape(shape)
    return message


def test_the_page_holds_film_layers_loss_floor_and_settings(moons_film):
    page = moons_film.to_html()
    film_part, layers_part = shown(page)["parts"]
    scene, change = arrays(film_part["scene"]), arrays(film_part["change"])
    assert scene["steps"].tolist() == change["listed"].tolist() == list(moons_film.steps)
    assert scene["density"].shape[1:] == (64, 64) and scene["samples"].shape[1:] == (600, 2)
    assert scene["entropy"] == pytest.approx(Moons(noise=0.05).entropy())
    assert change["loss_step"][-1] == 200
    assert change["loss_val"][-1] == pytest.approx(moons_film.events[-1].val_loss)
    positions = arrays(layers_part["scene"])["positions"]
    np.testing.assert_allclose(positions, moons_film.layers.points, atol=2e-3 * np.abs(positions).max())
    for text in ("Its floor", "Above the truth", "n_layers", "hidden_features"):
        assert text in page
    assert not moons_film.missing
    assert len(page.encode()) < 1_500_000


def test_nothing_in_the_page_comes_from_elsewhere(moons_film):
    page = moons_film.to_html()
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page)


def test_names_of_a_users_table_are_data_and_no_markup():
    import pandas as pd

    X = np.random.default_rng(0).normal(size=(200, 2))
    page = KDE().film(pd.DataFrame(X, columns=["</script><b>", "<img src=x>"])).to_html()
    assert "<b>" not in page and "<img" not in page


@pytest.mark.parametrize(
    "model, missing",
    [
        (KDE(), "KDE has no latent space, no layers."),
        (Detector(n_flows=1, n_steps=20), "Detector has no density, no samples, no latent space, no layers."),
    ],
    ids=["KDE", "Detector"],
)
def test_what_a_model_does_not_have_is_said(model, missing):
    made = model.film(Moons().sample(200, random_state=0))
    assert made.missing == missing
    assert missing in made.to_html()
    assert [part["component"] for part in shown(made.to_html())["parts"]] == ["film"]
    many = SplineCouplingFlow(**SMALL).film(np.random.default_rng(0).normal(size=(200, 3)))
    assert many.missing == "Its density is over more than two columns and is not drawn."


def test_data_that_are_no_rows_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"data must be finite rows \(n_samples, n_features\), not of shape \(3,\)"):
        film(KDE(), [1.0, 2.0, 3.0])


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store with a run that is done and one that still trains."""
    store = RunStore(tmp_path_factory.mktemp("home"))
    done = RunSpec(Spec("moons", {"n_samples": 1000}), Spec("spline", {"n_layers": 2, "n_steps": 100}))
    result = run_slice(done, None, 100)
    ids = [catalog.run_id(done)]
    store.create(ids[0], done)
    store.append(ids[0], result.events, result.frame, result.checkpoint)
    store.finish(ids[0], RunState.DONE, result.state, result.views)
    live = RunSpec(Spec("moons"), Spec("kde"))
    ids.append(catalog.run_id(live))
    store.create(ids[1], live)
    return store, ids


def test_a_run_leaves_by_the_command_line(stored, tmp_path, capsys):
    store, (run_id, live_id) = stored
    target = tmp_path / "film.html"
    command = [
        "export",
        run_id[:8],
        "--home",
        str(store.root),
        "-o",
        str(target),
        "--address",
        "https://lab.example/x/",
    ]
    assert main(command) == 0
    page = target.read_text(encoding="utf-8")
    assert "bytes written to" in capsys.readouterr().out
    assert 'href="https://lab.example/x/explore?data=moons&amp;data.n_samples=1000&amp;model=spline' in page
    assert len(shown(page)["parts"]) == 2
    assert arrays(shown(page)["parts"][1]["scene"])["names"] == ["", "changes x2", "changes x1"]
    for name, sentence in (
        (live_id, f"the run {live_id} is queued; only one that is done or stopped can be exported"),
        ("zz", "there is no run 'zz' in"),
        ("", "2 runs begin with ''"),
    ):
        assert main(["export", name, "--home", str(store.root), "-o", str(tmp_path / "no.html")]) == 1
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "no.html").exists()


def test_a_stored_film_shows_the_scores_of_the_run(stored):
    store, (run_id, _) = stored
    made, run = stored_film(store, run_id), store.load(run_id)
    facts = dict(made.facts)
    assert facts["Above the truth"].startswith(f"{float(run.views['gap']):.3f}"[:5].replace("-", "\u2212"))
    assert ("Seed", "0") in made.settings and made.link == ""


def test_a_notebook_without_anywidget_gets_the_page_in_a_frame(moons_film, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    bundle = moons_film._repr_mimebundle_()
    assert bundle["text/html"].startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert moons_film._display_()._repr_html_() == bundle["text/html"] == moons_film._repr_html_()
    with pytest.raises(ModuleNotFoundError):
        moons_film.widget()


def test_a_notebook_with_anywidget_gets_a_widget(moons_film, monkeypatch):
    """With the package itself where it is installed; else with a stand-in for what is used of it."""
    from flowlab.serving import film as module

    module._widget_class.cache_clear()
    try:
        import anywidget  # noqa: F401
    except ModuleNotFoundError:

        class Trait:
            def __init__(self, *_, **__): ...

            def tag(self, **_):
                return self

        class AnyWidget:
            def __init__(self, **traits):
                self.__dict__.update(traits)

            def _repr_mimebundle_(self):
                return {"application/vnd.jupyter.widget-view+json": {}}

        monkeypatch.setitem(sys.modules, "anywidget", types.SimpleNamespace(AnyWidget=AnyWidget))
        monkeypatch.setitem(sys.modules, "traitlets", types.SimpleNamespace(Unicode=Trait, Int=Trait))
    widget = moons_film._display_()
    assert json.loads(widget.show)["parts"] and "export default { render }" in str(widget._esm)
    assert "widget-view" in str(moons_film._repr_mimebundle_())
    module._widget_class.cache_clear()


def test_saving_where_nothing_can_be_written_is_said(moons_film, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="could not be written"):
        moons_film.save(tmp_path / "file" / "film.html")
    moons_film.save(tmp_path / "film.html")
    assert (tmp_path / "film.html").read_text(encoding="utf-8") == moons_film.to_html()
