"""The stock flows of nflows as estimators, unchanged, known faults included: a reference for our own flows."""

from __future__ import annotations

import math

from flowlab.constraints import COUNT, POSITIVE, Constraint
from flowlab.formatting import fixed
from flowlab.models.flows.nflows_model import NflowsModel
from flowlab.models.flows.scaling import LOG_2PI

SPLINE: dict[str, Constraint] = {"n_bins": COUNT, "tail_bound": POSITIVE}


class NflowsCoupling(NflowsModel):
    """RealNVP as nflows 0.14 ships it (SimpleRealNVP): its couplings contract and hardly expand.

    The scale is sigmoid(s + 2) + 0.001, at most 1.001, so on standardised columns the negative log-likelihood stays
    above d/2 log(2 pi) - n_layers d/2 log(1.001); `notes_` gives the number.

    Parameters
    ----------
    n_layers : couplings, which change the even and the odd columns in turn
    hidden_features, n_blocks : width and number of residual blocks of each conditioner
    n_steps, batch_size, learning_rate : of Adam, at a constant rate
    random_state : seed of weights, batches and of the rows set aside for validation
    """

    _kind = "coupling"
    _min_features = 2

    def __init__(
        self,
        n_layers: int = 8,
        hidden_features: int = 64,
        n_blocks: int = 2,
        n_steps: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ):
        super().__init__(n_layers, hidden_features, n_blocks, n_steps, batch_size, learning_rate, random_state)

    def _note_limits(self) -> None:
        d = len(self.mean_)
        changed = sum(len(range((i + 1) % 2, d, 2)) for i in range(self.n_layers))
        floor = 0.5 * d * LOG_2PI - changed * math.log(1.001)
        self._note(
            "nflows' affine coupling can only contract (scale at most 1.001): on standardised columns its negative "
            f"log-likelihood stays above {fixed(floor)} nats, however long it trains"
        )


class NflowsMAF(NflowsModel):
    """Masked autoregressive flow (Papamakarios et al. 2017, arXiv:1705.07057) as nflows ships it.

    Parameters are those of `NflowsCoupling`; the columns are reversed between layers. Sampling takes one pass per
    column.
    """

    _kind = "autoregressive"

    def __init__(
        self,
        n_layers: int = 5,
        hidden_features: int = 64,
        n_blocks: int = 2,
        n_steps: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ):
        super().__init__(n_layers, hidden_features, n_blocks, n_steps, batch_size, learning_rate, random_state)


class NflowsSplineCoupling(NflowsModel):
    """Neural spline flow with couplings (Durkan et al. 2019, arXiv:1906.04032) as nflows ships it.

    As `NflowsCoupling`, with `n_bins` rational-quadratic bins on [-tail_bound, tail_bound] and the identity beyond,
    in standard deviations (nflows' own default, a bound of 1 without tails, leaves standardised data outside).
    """

    _kind = "spline coupling"
    _min_features = 2
    valid = SPLINE
    _sizes = (*NflowsModel._sizes, *SPLINE)

    def __init__(
        self,
        n_layers: int = 6,
        hidden_features: int = 64,
        n_blocks: int = 2,
        n_bins: int = 8,
        tail_bound: float = 5.0,
        n_steps: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ):
        super().__init__(n_layers, hidden_features, n_blocks, n_steps, batch_size, learning_rate, random_state)
        self.n_bins = n_bins
        self.tail_bound = tail_bound


class NflowsSplineAutoregressive(NflowsModel):
    """Neural spline flow with autoregressive layers (Durkan et al. 2019) as nflows ships it; sampling is slow.

    Parameters are those of `NflowsSplineCoupling`.
    """

    _kind = "spline autoregressive"
    valid = SPLINE
    _sizes = (*NflowsModel._sizes, *SPLINE)

    def __init__(
        self,
        n_layers: int = 4,
        hidden_features: int = 64,
        n_blocks: int = 2,
        n_bins: int = 8,
        tail_bound: float = 5.0,
        n_steps: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ):
        super().__init__(n_layers, hidden_features, n_blocks, n_steps, batch_size, learning_rate, random_state)
        self.n_bins = n_bins
        self.tail_bound = tail_bound


class LectureRealNVP(NflowsModel):
    """RealNVP as in lecture 000: 10 couplings, networks of 2 x 32, exp(tanh s), Adam 1e-3, batches of 256.

    Shift and log-scale have networks of their own; `n_blocks` counts hidden layers. 2,300 steps are the lecture's
    200 epochs of 3,000 rows.
    """

    _kind = "tanh coupling"
    _min_features = 2

    def __init__(
        self,
        n_layers: int = 10,
        hidden_features: int = 32,
        n_blocks: int = 2,
        n_steps: int = 2300,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ):
        super().__init__(n_layers, hidden_features, n_blocks, n_steps, batch_size, learning_rate, random_state)


class NotebookMAF(NflowsModel):
    """The flow of notebook 002: 5 autoregressive layers, 4 hidden features, 2 blocks, random permutations."""

    _kind = "autoregressive"
    _permutation = "random"

    def __init__(
        self,
        n_layers: int = 5,
        hidden_features: int = 4,
        n_blocks: int = 2,
        n_steps: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ):
        super().__init__(n_layers, hidden_features, n_blocks, n_steps, batch_size, learning_rate, random_state)


class GlowFlow(NflowsModel):
    """Glow for tables (Kingma & Dhariwal 2018, arXiv:1807.03039), of the parts of nflows.

    Each of `n_layers` steps is an activation normalisation, an invertible linear map of all columns (by its LU
    decomposition) in place of a fixed permutation, and a coupling with tanh-bounded scale. `n_blocks` counts hidden
    layers. The other parameters are those of `NflowsCoupling`.
    """

    _kind = "glow"
    _min_features = 2

    def __init__(
        self,
        n_layers: int = 8,
        hidden_features: int = 32,
        n_blocks: int = 2,
        n_steps: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        random_state: int = 0,
    ):
        super().__init__(n_layers, hidden_features, n_blocks, n_steps, batch_size, learning_rate, random_state)
