"""What densities, samples and determinants cost, measured: processor time against columns, rows and layers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import plotly.graph_objects as go

from flowlab import catalog
from flowlab.controls import Choice, Int
from flowlab.formatting import fixed
from flowlab.models.base import DensityModel, FlowModel, GenerativeModel, LatentModel
from flowlab.plots import theme
from flowlab.records import Spec
from flowlab.teaching.exhibit import Exhibit

REPEATS = 5
"""The smallest of so many measurements is taken: what else the computer does can only add to it."""
DIMENSIONS = (2, 4, 8, 16, 32, 64)
_TRAINING = {"n_layers": 2, "n_steps": 1, "hidden_features": 64}
FAMILIES: dict[str, Spec] = {
    "MAF of nflows": Spec("nflows_maf", {**_TRAINING, "n_blocks": 1}),
    "MAF": Spec("maf", _TRAINING),
    "IAF": Spec("iaf", _TRAINING),
    "affine coupling": Spec("affine", _TRAINING),
    "spline coupling": Spec("spline", _TRAINING),
    "NICE": Spec("affine", {**_TRAINING, "scale_map": "additive"}),
}
"""Flows of two layers, all with networks of 64 units; the costs do not depend on how well they are trained."""


def processor_seconds(*work: Callable[[], object], repeats: int = REPEATS) -> np.ndarray:
    """Processor time of each call, (n_calls,): the smallest of several, all in turn, after one that is not counted."""
    for call in work:
        call()
    found = np.empty((repeats, len(work)))
    for times in found:
        for i, call in enumerate(work):
            start = time.process_time()
            call()
            times[i] = time.process_time() - start
    return np.maximum(found.min(0), 1e-7)


def _many_determinants(matrix: np.ndarray, times: int) -> None:
    for _ in range(times):
        np.linalg.slogdet(matrix)


def _log_sums(diagonals: np.ndarray) -> np.ndarray:
    return np.log(diagonals).sum(1)


@lru_cache(maxsize=128)
def _model(spec: Spec, n_columns: int) -> DensityModel:
    """A model of so many columns, after one step of training on random rows."""
    X = np.random.default_rng(0).standard_normal((200, n_columns))
    return catalog.MODELS[spec.name].make(**spec.params).fit(X)


def _rows(n: int, n_columns: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n, n_columns))


@dataclass(frozen=True, eq=False)
class CostOfColumns:
    """Processor time of a density and of a sample against the number of columns.

    Attributes
    ----------
    n_columns : (m,)
    density, sample : (6, m) seconds for 1,000 rows, in the order of `FAMILIES`
    nice_log_det : the largest log-determinant of the layers of NICE, in nats
    """

    n_columns: np.ndarray
    density: np.ndarray
    sample: np.ndarray
    nice_log_det: float

    def ratio(self, family: str) -> np.ndarray:
        """Time of a sample over time of a density, (m,)."""
        i = list(FAMILIES).index(family)
        return self.sample[i] / self.density[i]

    @property
    def nflows_ratio(self) -> float:
        """Of nflows' MAF at the most columns, and so on."""
        return float(self.ratio("MAF of nflows")[-1])

    @property
    def nflows_slope(self) -> float:
        """Of the logarithm of that ratio against that of the columns: 1 where the ratio grows as they do."""
        return _slope(self.n_columns, self.ratio("MAF of nflows"))

    @property
    def maf_ratio(self) -> float:
        """Of FlowLab's MAF."""
        return float(self.ratio("MAF")[-1])

    @property
    def iaf_ratio(self) -> float:
        """Of FlowLab's IAF."""
        return float(self.ratio("IAF")[-1])

    @property
    def affine_ratio(self) -> float:
        """Of affine couplings."""
        return float(self.ratio("affine coupling")[-1])

    @property
    def spline_ratio(self) -> float:
        """Of spline couplings."""
        return float(self.ratio("spline coupling")[-1])

    @property
    def nice_ratio(self) -> float:
        """Of additive couplings."""
        return float(self.ratio("NICE")[-1])

    @property
    def most_columns(self) -> int:
        """At the right end."""
        return int(self.n_columns[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With {self.most_columns} columns a sample costs nflows' MAF {fixed(self.nflows_ratio, 1)} times a "
            f"density, a factor that grows with the columns to the {fixed(self.nflows_slope, 2)}. FlowLab's MAF has "
            f"{fixed(self.maf_ratio, 1)}, IAF {fixed(self.iaf_ratio, 1)}, couplings {fixed(self.affine_ratio, 1)} "
            f"(affine) and {fixed(self.spline_ratio, 1)} (spline)."
        )


def cost_of_columns(n_rows: int = 500, most: str = "64") -> CostOfColumns:
    """Measures six families with 2 to 64 columns."""
    dimensions = [d for d in DIMENSIONS if d <= int(most)]
    density, sample = np.empty((2, len(FAMILIES), len(dimensions)))
    nice_log_det = 0.0
    for j, d in enumerate(dimensions):
        X = _rows(n_rows, d)
        for i, (name, spec) in enumerate(FAMILIES.items()):
            model = _model(spec, d)
            assert isinstance(model, GenerativeModel)
            is_slow = name == "MAF of nflows" and d > 16
            pair = processor_seconds(
                partial(model.score_samples, X),
                partial(model.sample, n_rows, 0),
                repeats=2 if is_slow else REPEATS,
            )
            density[i, j], sample[i, j] = pair * 1000 / n_rows
            if name == "NICE":
                assert isinstance(model, FlowModel)
                nice_log_det = max(nice_log_det, float(np.abs(model.log_det_path(X)).max()))
    return CostOfColumns(np.array(dimensions), density, sample, nice_log_det)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Of log y against log x over the larger half of x."""
    half = len(x) // 2
    return float(np.polyfit(np.log(x[half:]), np.log(y[half:]), 1)[0])


def draw_cost_of_columns(result: CostOfColumns, dark: bool = False, height: int = 420) -> go.Figure:
    """Density on the left, sample on the right, both logarithmic and on one scale."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "columns", "processor time of 1,000 rows (ms)")
    colors = (c.anomaly, c.model, c.second, c.truth, c.third, c.data)
    dashes = ("solid", "solid", "dash", "solid", "dashdot", "dot")
    for i, name in enumerate(FAMILIES):
        for axis, values in (("", result.density), ("2", result.sample)):
            fig.add_scatter(
                x=result.n_columns, y=1000 * values[i], xaxis=f"x{axis}", yaxis=f"y{axis}", mode="lines+markers",
                name=name, showlegend=not axis, legendgroup=name,
                line={"color": colors[i], "dash": dashes[i], "width": 2.5},
                hovertemplate=name + "<br>%{x} columns<br>%{y:.2f} ms<extra></extra>",
            )  # fmt: skip
    both = 1000 * np.concatenate([result.density, result.sample])
    span = [float(np.log10(both.min()) - 0.15), float(np.log10(both.max()) + 0.2)]
    ticks = {"type": "log", "tickvals": result.n_columns, "ticktext": [str(n) for n in result.n_columns]}
    fig.update_layout(
        xaxis={"domain": [0, 0.46], **ticks, "title": {"text": "columns, for a density"}},
        xaxis2={"domain": [0.54, 1], "anchor": "y2", **ticks, "title": {"text": "columns, for a sample"}},
        yaxis={"type": "log", "range": span, "dtick": 1},
        yaxis2={"type": "log", "range": span, "dtick": 1, "anchor": "x2", "showticklabels": False},
    )
    return fig


@dataclass(frozen=True, eq=False)
class CostOfDeterminants:
    """Processor time of a log-determinant of d x d, by elimination and from the diagonal of a triangular matrix.

    Attributes
    ----------
    size : (m,) d
    by_elimination, by_diagonal : (m,) seconds for one matrix
    """

    size: np.ndarray
    by_elimination: np.ndarray
    by_diagonal: np.ndarray

    @property
    def elimination_slope(self) -> float:
        """Exponent of d in the time of elimination, fitted over the larger sizes; its operations have 3."""
        return _slope(self.size, self.by_elimination)

    @property
    def diagonal_slope(self) -> float:
        """Of d in the time from the diagonal."""
        return _slope(self.size, self.by_diagonal)

    @property
    def factor(self) -> float:
        """Elimination over diagonal at the largest d."""
        return float(self.by_elimination[-1] / self.by_diagonal[-1])

    @property
    def largest(self) -> int:
        """The largest d."""
        return int(self.size[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Elimination grows with d to the {fixed(self.elimination_slope, 1)}, the diagonal with d to the "
            f"{fixed(self.diagonal_slope, 1)}. At d = {self.largest} a full determinant costs "
            f"{fixed(self.factor, 0)} times a triangular one."
        )


def cost_of_determinants(largest: str = "512") -> CostOfDeterminants:
    """Measures determinants up to `largest`; the triangular ones of a batch of 1,000, as a layer has them."""
    sizes = [d for d in (16, 32, 64, 128, 256, 512, 1024) if d <= int(largest)]
    rng = np.random.default_rng(0)
    full, triangular = [], []
    for d in sizes:
        matrix = rng.standard_normal((d, d))
        times = max(1, 2**20 // d**3 // 8)
        diagonals = np.abs(rng.standard_normal((1000, d))) + 0.1
        whole, diagonal = processor_seconds(
            partial(_many_determinants, matrix, times),
            partial(_log_sums, diagonals),
        )
        full.append(whole / times)
        triangular.append(diagonal / 1000)
    return CostOfDeterminants(np.array(sizes), np.array(full), np.array(triangular))


def draw_cost_of_determinants(result: CostOfDeterminants, dark: bool = False, height: int = 420) -> go.Figure:
    """Both times, and lines of slope 3 and 1."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "size d of the matrix", "processor time of one (microseconds)")
    lines = (
        ("elimination (LU)", result.by_elimination, c.anomaly, 3),
        ("triangular: sum over the diagonal", result.by_diagonal, c.model, 1),
    )
    for name, seconds, color, power in lines:
        y = 1e6 * seconds
        fig.add_scatter(
            x=result.size, y=y, mode="lines+markers", name=name, line={"color": color, "width": 3},
            hovertemplate=name + "<br>d %{x}<br>%{y:.3g} µs<extra></extra>",
        )  # fmt: skip
        fig.add_scatter(
            x=result.size, y=y[-1] * (result.size / result.size[-1]) ** power, mode="lines", name=f"slope {power}",
            hoverinfo="skip", line={"color": color, "width": 1.5, "dash": "dot"},
        )  # fmt: skip
    fig.update_xaxes(type="log", tickvals=result.size, ticktext=[str(d) for d in result.size])
    return fig.update_yaxes(type="log", dtick=1)


@dataclass(frozen=True, eq=False)
class LinearCost:
    """Processor time of densities against rows, columns and layers, and how well a straight line fits.

    Attributes
    ----------
    rows, columns, layers : (m,) each
    by_rows, by_columns, by_layers : (m,) seconds
    """

    rows: np.ndarray
    columns: np.ndarray
    layers: np.ndarray
    by_rows: np.ndarray
    by_columns: np.ndarray
    by_layers: np.ndarray

    @property
    def r2_rows(self) -> float:
        """R² of the straight line."""
        return _r2(self.rows, self.by_rows)

    @property
    def r2_columns(self) -> float:
        """R² of the straight line."""
        return _r2(self.columns, self.by_columns)

    @property
    def r2_layers(self) -> float:
        """R² of the straight line."""
        return _r2(self.layers, self.by_layers)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Straight lines fit with R² {fixed(self.r2_rows, 3)} for rows, {fixed(self.r2_columns, 3)} for columns "
            f"and {fixed(self.r2_layers, 3)} for layers: each further one costs the same again."
        )


LINEAR = {"maf": "autoregressive flow", "affine": "affine coupling flow", "spline": "spline flow"}


def linear_cost(model: str = "maf") -> LinearCost:
    """Measures one flow with more rows, more columns and more layers."""
    rows, columns, layers = np.arange(1, 7) * 1500, np.arange(1, 7) * 16, np.arange(1, 7) * 2

    def density(n_rows: int, n_columns: int, n_layers: int) -> Callable[[], object]:
        fitted = _model(Spec(model, {**_TRAINING, "n_layers": int(n_layers)}), int(n_columns))
        X = _rows(int(n_rows), int(n_columns))
        return lambda: fitted.score_samples(X)

    return LinearCost(
        rows,
        columns,
        layers,
        processor_seconds(*(density(int(n), 8, 4) for n in rows)),
        processor_seconds(*(density(1000, int(d), 4) for d in columns)),
        processor_seconds(*(density(1000, 8, int(n)) for n in layers)),
    )


def _r2(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def draw_linear_cost(result: LinearCost, dark: bool = False, height: int = 420) -> go.Figure:
    """Three panels, measurements and straight lines."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    panels = (
        ("rows", result.rows, result.by_rows, result.r2_rows),
        ("columns", result.columns, result.by_columns, result.r2_columns),
        ("layers", result.layers, result.by_layers, result.r2_layers),
    )
    for i, (name, x, seconds, r2) in enumerate(panels):
        tail = str(i + 1) if i else ""
        y = 1000 * seconds
        fig.add_scatter(
            x=x, y=np.polyval(np.polyfit(x, y, 1), x), mode="lines", xaxis=f"x{tail}", yaxis=f"y{tail}",
            line={"color": c.truth, "dash": "dash"}, hoverinfo="skip",
        )  # fmt: skip
        fig.add_scatter(
            x=x, y=y, mode="markers", xaxis=f"x{tail}", yaxis=f"y{tail}", marker={"color": c.model, "size": 9},
            hovertemplate="%{x} " + name + "<br>%{y:.2f} ms<extra></extra>",
        )  # fmt: skip
        fig.update_layout(
            {
                f"xaxis{tail}": {
                    "domain": [i * 0.36, i * 0.36 + 0.28], "anchor": f"y{tail}", "title": {"text": name},
                    "nticks": 4, "range": [0, float(x[-1]) * 1.06],
                },
                f"yaxis{tail}": {
                    "anchor": f"x{tail}", "range": [0, float(y.max()) * 1.25], "domain": [0, 0.95],
                    "title": {"text": "" if i else "processor time (ms)"},
                },
            }
        )  # fmt: skip
        fig.add_annotation(
            x=i * 0.36 + 0.14, y=0.96, xref="paper", yref="paper", showarrow=False, text=f"R² {fixed(r2, 3)}",
            xanchor="center", yanchor="bottom",
        )  # fmt: skip
    return fig.update_layout(showlegend=False)


CARD: dict[str, Spec] = {
    "autoregressive": FAMILIES["MAF of nflows"],
    "inverse autoregressive": FAMILIES["IAF"],
    "coupling flow": FAMILIES["affine coupling"],
    "VAE": Spec("vae", {"n_latent": 4, "n_steps": 1}),
    "autoencoder": Spec("autoencoder", {"n_latent": 4, "n_steps": 1}),
}
"""Families of the card."""


@dataclass(frozen=True, eq=False)
class FamilyCard:
    """Families side by side: whether the likelihood is exact, the size of the latent space, and what rows cost.

    Attributes
    ----------
    likelihood : of each family "exact", "lower bound" or "none", in the order of `CARD`
    n_columns : of the data
    n_latent : (5,) size of the latent space
    density, sample : (5,) seconds of 1,000 rows
    round_trip : (5,) the largest error of a row's way to the latent space and back, in standard deviations
    """

    likelihood: tuple[str, ...]
    n_columns: int
    n_latent: np.ndarray
    density: np.ndarray
    sample: np.ndarray
    round_trip: np.ndarray

    @property
    def n_exact(self) -> int:
        """Families with an exact likelihood."""
        return self.likelihood.count("exact")

    @property
    def autoregressive_ratio(self) -> float:
        """Sample over density of the autoregressive family."""
        return float(self.sample[0] / self.density[0])

    @property
    def coupling_ratio(self) -> float:
        """Sample over density of the coupling flow."""
        return float(self.sample[2] / self.density[2])

    @property
    def flow_error(self) -> float:
        """The largest round trip error of the flows."""
        return float(self.round_trip[:3].max())

    @property
    def vae_error(self) -> float:
        """The round trip error of the VAE."""
        return float(self.round_trip[3])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The likelihood is exact in {self.n_exact} of {len(self.likelihood)} families. A sample costs the "
            f"autoregressive one {fixed(self.autoregressive_ratio, 1)} times a density, the coupling flow "
            f"{fixed(self.coupling_ratio, 1)} times."
        )


def family_card(n_columns: int = 16) -> FamilyCard:
    """Measures five families on random rows of so many columns."""
    X = _rows(500, n_columns)
    likelihood, lines = [], []
    for spec in CARD.values():
        model = _model(spec, n_columns)
        assert isinstance(model, GenerativeModel) and isinstance(model, LatentModel)
        likelihood.append("lower bound" if model.score_is_bound else "exact" if model.is_density else "none")
        Z = model.transform(X)
        lines.append(
            (
                Z.shape[1],
                *2 * processor_seconds(partial(model.score_samples, X), partial(model.sample, 500, 0)),
                np.abs(model.inverse_transform(Z) - X).max(),
            )
        )  # fmt: skip
    n_latent, density, sample, error = np.array(lines).T
    return FamilyCard(tuple(likelihood), n_columns, n_latent.astype(int), density, sample, error)


def draw_family_card(result: FamilyCard, dark: bool = False, height: int = 420) -> go.Figure:
    """Bars of both costs for each family; what it offers stands on them."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "processor time of 1,000 rows (ms)")
    offers = [f"likelihood {kind}" for kind in result.likelihood], [f"latent {size}" for size in result.n_latent]
    bars = (("density or score", result.density, c.model), ("sample", result.sample, c.second))
    for (name, seconds, color), offered in zip(bars, offers, strict=True):
        fig.add_bar(
            y=list(CARD), x=1000 * seconds, name=name, orientation="h", marker={"color": color},
            text=[f"{fixed(1000 * s, 1)} · {words}" for s, words in zip(seconds, offered, strict=True)],
            textposition="auto",
            hovertemplate="%{x:.2f} ms<extra></extra>",
        )  # fmt: skip
    most = float(np.log10(1000 * max(result.density.max(), result.sample.max())))
    fig.update_xaxes(type="log", dtick=1, range=[-0.5, most + 0.9])
    fig.update_yaxes(autorange="reversed")
    return fig.update_layout(barmode="group", bargap=0.25)


EXHIBITS = (
    Exhibit(
        "cost_of_columns",
        (
            Int("n_rows", "Rows", 100, 1000, 100, help="Rows in one call"),
            Choice("most", "Columns up to", {"16": "16", "32": "32", "64": "64"}),
        ),
        cost_of_columns,
        draw_cost_of_columns,
        rows=(89, 90, 91),
        is_slow=True,
    ),
    Exhibit(
        "cost_of_determinants",
        (Choice("largest", "Sizes up to", {"128": "128", "256": "256", "512": "512", "1024": "1,024"}),),
        cost_of_determinants,
        draw_cost_of_determinants,
        rows=(115,),
        is_slow=True,
    ),
    Exhibit(
        "linear_cost", (Choice("model", "Model", LINEAR),), linear_cost, draw_linear_cost, rows=(120,), is_slow=True
    ),
    Exhibit(
        "family_card", (Int("n_columns", "Columns", 4, 32, 4),), family_card, draw_family_card, rows=(45,), is_slow=True
    ),
)
