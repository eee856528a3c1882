"""What the Compare page trains beside a run: a set of other models, further seeds, sweeps over one setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowlab import catalog
from flowlab.models.base import FlowModel
from flowlab.records import RunSpec, Scalar, Spec

SET = ("autoencoder", "vae", "kde", "forest")
"""What one button trains beside a flow: two autoencoders and two classical rivals."""
MORE_SEEDS = 2
SWEPT_FLOWS = ("spline", "affine", "maf")
"""Flows whose number of layers is swept; for any other model the first."""


_WHAT_LAYERS_DO = {
    "spline": "One coupling layer leaves half of the columns as they were: two at least are needed to shape them all.",
    "affine": "One coupling layer leaves half of the columns as they were: two at least are needed to shape them all.",
    "maf": "One autoregressive layer scales and shifts each column given those before it; the first stays a Gaussian.",
}
"""What one layer of a flow of `SWEPT_FLOWS` leaves undone."""


@dataclass(frozen=True)
class Chart:
    """One picture of a sweep: the title of its axis, and measures by the name of their curve.

    A measure is one of MEASURES.
    """

    title: str
    measures: dict[str, str]


@dataclass(frozen=True)
class Sweep:
    """One varied setting: values, the runs of each series at these values, and the charts."""

    what: str
    axis: str
    values: Sequence[float]
    series: dict[str, list[RunSpec]]
    charts: list[Chart]
    logarithmic: bool = True
    over_seeds: bool = False
    """Whether the series are seeds of one setting, of which the mean and its standard error are drawn."""

    def specs(self) -> list[RunSpec]:
        """All runs of the sweep."""
        return [spec for specs in self.series.values() for spec in specs]


MEASURES = ("auroc", "loss", "error", "rate", "sample_auroc", "score_seconds", "ratio_auroc")
"""What a chart may show of a run on held-out rows.

AUROC; negative log-likelihood of normal rows, nats; squared reconstruction error, squared standard deviations;
divergence of codes from their prior, nats; AUROC of a classifier between samples and rows; seconds to score 1,000 rows;
AUROC of the log-likelihood ratio of the uncorrupted run to a run with corrupted pictures.
"""


def code_size(n_features: int) -> int:
    """Numbers in the code of an autoencoder that fits a table: a quarter of its columns, from 2 to 64; 1 up to two."""
    return 1 if n_features <= 2 else int(np.clip(round(n_features / 4), 2, 64))


def comparison_set(present: RunSpec, n_features: int) -> list[RunSpec]:
    """The present model, a flow if it is none, and the set with a code that fits the table; none of them twice."""
    code = {"n_latent": code_size(n_features)}
    flow = Spec("spline" if n_features <= 2 else "maf")
    is_flow = issubclass(catalog.MODELS[present.model.name].make, FlowModel)
    flows = [present.model] if is_flow else [present.model, flow]
    models = [*flows, *(Spec(n, code if n in ("autoencoder", "vae") else {}) for n in SET)]
    specs = [catalog.tidy(RunSpec(present.data, model, present.seed))[0] for model in models]
    return list({catalog.run_id(s): s for s in specs}.values())


_LOSS = Chart("negative log-likelihood of held-out rows (nats)", {"loss": "loss"})


def more_seeds(spec: RunSpec) -> list[RunSpec]:
    """The same model with other seeds: other splits, weights and, for toys, other rows."""
    return [RunSpec(spec.data, spec.model, spec.seed + i) for i in range(1, MORE_SEEDS + 1)]


def sweeps(present: RunSpec, n_features: int, has_labels: bool) -> dict[str, Sweep]:
    """What can be swept on the data of `present`, by name; detection is measured where there are labels."""

    def runs(model: str, key: str, values: Sequence[Scalar], **fixed: Scalar) -> list[RunSpec]:
        specs = [RunSpec(present.data, Spec(model, {**fixed, key: value}), present.seed) for value in values]
        return [catalog.tidy(spec)[0] for spec in specs]

    def with_rows(model: str, rows: Sequence[int]) -> list[RunSpec]:
        data = [Spec(present.data.name, {**present.data.params, "n_samples": n}) for n in rows]
        return [catalog.tidy(RunSpec(spec, Spec(model), present.seed))[0] for spec in data]

    sizes = sorted({k for k in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if k <= max(4, n_features)})[:8]
    betas = [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 20.0]
    depths = [1, 2, 4, 8, 16]
    hidden = [0, 1, 2, 3]
    flow = present.model.name if present.model.name in SWEPT_FLOWS else SWEPT_FLOWS[0]
    coupled = flow if flow != "maf" else "affine"
    flow_name = catalog.MODELS[flow].label
    found = {
        "Code size": Sweep(
            "A wider code copies more: the error falls to zero, and with it what the error says about anomalies.",
            "code size", sizes, {"Autoencoder": runs("autoencoder", "n_latent", sizes)},
            _with_auroc(has_labels, Chart("reconstruction error (squared sd)", {"error": "error"})),
        ),
        "Beta": Sweep(
            "Rate is what the code tells of a row, distortion what it leaves out; a high beta buys one with the other.",
            "beta", betas, {"VAE": runs("vae", "beta", betas, n_latent=code_size(n_features))},
            [
                Chart("rate (nats) and distortion (squared sd)", {"rate": "rate", "distortion": "error"}),
                Chart(
                    "AUROC",
                    {**({"detection": "auroc"} if has_labels else {}), "samples against held-out rows": "sample_auroc"},
                ),
            ],
        ),
        "Layers": Sweep(
            _WHAT_LAYERS_DO[flow],
            "layers", depths, {flow_name: runs(flow, "n_layers", depths)},
            _with_auroc(has_labels, _LOSS),
        ),
        "Network depth": Sweep(
            "Without a hidden layer a coupling's scale and shift are linear in what it reads.",
            "hidden layers", hidden, {catalog.MODELS[coupled].label: runs(coupled, "n_hidden", hidden)},
            _with_auroc(has_labels, _LOSS), logarithmic=False,
        ),
    }  # fmt: skip
    if "n_samples" in catalog.DATASETS[present.data.name].defaults:
        rows = [500, 1000, 2000, 5000, 10_000, 20_000]
        found["Rows"] = Sweep(
            "Kernel density needs more rows as columns are added, and scoring costs it a look at each of them.",
            "rows", rows, {"Kernel density": with_rows("kde", rows), flow_name: with_rows(flow, rows)},
            [
                _LOSS,
                Chart("seconds to score 1 000 rows", {"score": "score_seconds"}),
            ],
        )  # fmt: skip
    if present.model.name == "image_flow":
        found |= _image_sweeps(present, has_labels)
    return found


def _image_sweeps(present: RunSpec, has_labels: bool) -> dict[str, Sweep]:
    """Those of a flow of pictures, each over seeds."""
    narrow, corrupted = [1, 2, 4, 8, 16, 32], [0.0, 0.05, 0.1, 0.2, 0.4]
    bottleneck = Sweep(
        "A narrow layer in each coupling's network leaves it less to copy of the pixels it reads.",
        "channels of the narrowest layer", narrow, _over_seeds(present, "bottleneck", narrow),
        _with_auroc(has_labels, _LOSS), over_seeds=True,
    )  # fmt: skip
    found = {"Bottleneck": bottleneck}
    if has_labels:
        found["Corrupted background"] = Sweep(
            "A general model of the same pictures with some pixels at random: the ratio to it scores each picture. "
            "With none corrupted both models are one, and the ratio says nothing.",
            "share of corrupted pixels", corrupted, _over_seeds(present, "corruption", corrupted),
            [Chart("AUROC of the ratio on held-out rows", {"ratio": "ratio_auroc"})], logarithmic=False,
            over_seeds=True,
        )  # fmt: skip
    return found


def _with_auroc(has_labels: bool, *charts: Chart) -> list[Chart]:
    """Charts, and that of detection where there are labels."""
    return [*charts, Chart("AUROC on held-out rows", {"AUROC": "auroc"})] if has_labels else list(charts)


def _over_seeds(present: RunSpec, key: str, values: Sequence[Scalar]) -> dict[str, list[RunSpec]]:
    """Runs of a flow of pictures with other values of a setting, for the present seed and the next."""
    return {
        f"seed {spec.seed}": [
            catalog.tidy(RunSpec(spec.data, Spec("image_flow", {**spec.model.params, key: value}), spec.seed))[0]
            for value in values
        ]
        for spec in (present, *more_seeds(present))
    }
