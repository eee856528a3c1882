"""Two forks of one run: they part at one and the same state, and going on as before is the run itself."""

import numpy as np

from flowlab.teaching.exhibits import two_forks


def test_the_first_fork_is_the_run_that_never_parted():
    found = two_forks.two_forks("batch", layer=2)
    assert found.apart_at_fork == 0 < found.apart
    X = two_forks.MOONS.sample(2000, 0)
    whole = two_forks._flow({})
    for _ in whole.fit_iter(X, n_steps=two_forks.LAST):
        pass
    assert -whole.score_samples(two_forks.MOONS.sample(1500, 1)).mean() == found.loss_first


def test_the_curves_are_those_of_the_rows():
    found = two_forks.two_forks("rate", layer=1, step=two_forks.FORK)
    flow = two_forks._flow({}).set_state(two_forks._parent())
    rows = two_forks.MOONS.sample(50, 7)
    path, (s, _) = flow.transform_path(rows), flow.layer_readout(rows)
    changed = int(np.abs(path[1] - path[0]).max(axis=0).argmax())
    drawn = np.interp(path[0][:, 1 - changed], two_forks.GRID, found.first.s[0, 0])
    assert np.nanmax(np.abs(drawn - s[0][:, changed])) < 0.02
