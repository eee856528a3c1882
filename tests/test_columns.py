"""One answer to which columns are constant: the same in every room."""

import numpy as np
import pytest

from flowlab.columns import spread_of, varies
from flowlab.explain.reference import robust_scale
from flowlab.models.classical.one_step import mean_and_scale
from flowlab.models.flows.scaling import Scaling


@pytest.mark.parametrize("value", [0.1, 1e-12, 1e300, 0.0])
@pytest.mark.parametrize("relative_spread, is_constant", [(0.0, True), (1e-13, True), (1e-8, False), (1.0, False)])
def test_every_room_finds_the_same_columns_constant(value, relative_spread, is_constant):
    steps = np.linspace(-1, 1, 101)
    X = np.column_stack([value * (1 + relative_spread * steps) if value else relative_spread * steps, steps])
    if value == 0:
        is_constant = relative_spread == 0  # about zero any difference is as large as the values
    assert varies(X).tolist() == [not is_constant, True]
    if value == 1e300:
        assert (mean_and_scale(X)[1][0] == 1) == is_constant
        return
    for scale in (spread_of(X), mean_and_scale(X)[1], robust_scale(X)):
        assert (scale[0] == 1) == is_constant
    assert Scaling.fit(X).varies.tolist() == [not is_constant, True]
