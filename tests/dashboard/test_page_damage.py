"""Pages of a damaged run: one sentence with what can be saved and the ways on; nobody else's page suffers."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages_driver import open_page, press, said, wait_until

from flowlab import catalog
from flowlab.jobs import run_slice
from flowlab.records import RunSpec, Spec

PAGES = ["train", "explore", "detect"]


def spec(seed: int) -> RunSpec:
    return RunSpec(Spec("moons", {"n_samples": 300}), Spec("affine", {"n_layers": 2, "n_steps": 50}), seed)


@pytest.fixture(scope="module")
def finished():
    """The slices of one run; its files serve every test."""
    first = run_slice(spec(0), None, 25)
    return first, run_slice(spec(0), first.checkpoint, 25)


def leave(spec: RunSpec, slices) -> Path:
    from flowlab.dashboard.shell import services

    store, run_id = services.store(), catalog.run_id(spec)
    services.runner()
    run = store.create(run_id, spec)
    for each in slices:
        store.append(run_id, each.events, each.frame, each.checkpoint)
    store.finish(run_id, "done", slices[-1].state, slices[-1].views)
    return run.path


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("name", ["model.npz", "views.npz", "run.json"])
def test_each_page_says_what_is_damaged_and_what_can_be_saved(name, own_server, finished):
    present = spec(["model.npz", "views.npz", "run.json"].index(name))
    cut(leave(present, finished) / name)
    for page in PAGES:
        words = said(open_page(page, present))
        assert f"is damaged: {name} cannot be read. What can be read: its curve up to step 50" in words, page
    other = spec(9)
    leave(other, finished)
    assert "damaged" not in said(open_page("train", other))


def test_a_damaged_run_goes_on_from_its_checkpoint(own_server, finished):
    from flowlab.dashboard.shell import services

    present = spec(3)
    cut(leave(present, finished) / "model.npz")
    at = press(open_page("train", present), "Go on from step 50")
    assert "damaged" not in said(at)
    wait_until(lambda: services.status(present).state == "done")
    assert services.store().damage(catalog.run_id(present)).unreadable == ()


def test_a_damaged_record_is_set_aside_and_trained_again(own_server, finished):
    from flowlab.dashboard.shell import services

    present = spec(4)
    (leave(present, finished) / "run.json").write_text('{"pid": 1e400')
    at = open_page("train", present)
    assert not [button for button in at.button if button.label.startswith("Go on")]
    at = press(at, "Set it aside")
    assert "damaged" not in said(at) and services.run(present) is None
    assert [path.name[:16] for path in (services.home() / "damaged").iterdir()] == [catalog.run_id(present)]


def test_a_run_of_a_newer_store_is_named_as_such(own_server, finished):
    present = spec(5)
    path = leave(present, finished) / "run.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    at = open_page("train", present)
    assert "written by a newer FlowLab (format 7, this one reads 1); update FlowLab" in said(at)
    assert not [button for button in at.button if button.label == "Set it aside"]
