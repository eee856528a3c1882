"""Wide tables made narrow without forgetting what is left out: principal components and the size of the residual."""

from __future__ import annotations

from typing import Self

import numpy as np

from flowlab.models.base import State
from flowlab.models.classical.scorers import PCAResidual

SMALLEST_RESIDUAL = 1e-9
"""Added before the logarithm: rows of the subspace itself have a residual of rounding errors only."""


class PrincipalColumns:
    """The first principal components of standardised columns, and log(residual) as one more column.

    The residual is the squared distance to the subspace (the Q statistic, Jackson & Mudholkar 1979,
    doi:10.1080/00401706.1979.10489779): a row that is strange only in what the components leave out stays strange.

    Parameters
    ----------
    n_columns : how many columns come out, the residual's among them
    context_column : a column that is not projected but becomes the last one, after the `n_columns`; None for none
    """

    def __init__(self, n_columns: int, context_column: int | None = None) -> None:
        self.context_column = context_column
        self.residual = PCAResidual(variance=1.0, max_components=n_columns - 1)

    def fit(self, X: np.ndarray) -> Self:
        """Find the components of the rows X (n_rows, n_features)."""
        self.residual.fit(self._judged(X))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The narrow rows, (n_rows, `n_columns` or one more)."""
        judged = self._judged(X)
        columns = [self.residual.transform(judged), np.log(self.residual.anomaly_score(judged) + SMALLEST_RESIDUAL)]
        return np.column_stack(columns if self.context_column is None else [*columns, X[:, self.context_column]])

    def _judged(self, X: np.ndarray) -> np.ndarray:
        return X if self.context_column is None else np.delete(X, self.context_column, axis=1)

    def get_state(self) -> dict[str, np.ndarray]:
        """What was learned, as arrays."""
        return self.residual.get_state()

    def set_state(self, state: State) -> Self:
        """Restore what `get_state` returned. Returns self."""
        self.residual.set_state(state)
        return self
