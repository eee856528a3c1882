"""The data sets of the catalog: toy densities, tables that ship with scikit-learn, simulated tables, uploads."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from flowlab.catalog.entry import Control, Entry
from flowlab.datasets import bundled, drawing, from_table, simulated
from flowlab.datasets.dataset import Dataset
from flowlab.records import Scalar
from flowlab.toys import base, contaminated, curves, dataset, mixtures, shapes, table64

if TYPE_CHECKING:
    import pandas as pd


TOYS = "Toy densities"
BUNDLED = "Tables that ship with scikit-learn"
SIMULATED = "Simulated tables"
DRAWN = "Your own drawing"
UPLOADED = "Uploaded table"


def _toy(name: str, label: str, density: type, *controls: Control, n_samples: int = 20_000, blurb: str = "") -> Entry:
    rows = Control("n_samples", "Rows", "int", 200, 200_000, 1000, log=True, help="Rows drawn; 80 % of them train.")
    planar = "anomaly_component" not in vars(density) and density.n_features == 2
    more = (rows, *[ANOMALIES] * planar, *[BY_CLASS] * (density.n_classes is not base.ToyDensity.n_classes))
    return Entry(name, label, _toy_maker(density, label, n_samples), (*controls, *more), blurb, TOYS)


def _toy_maker(density: type, label: str, rows: int) -> Callable[..., Dataset]:
    """A maker whose signature is the density's, with the number of rows and the share of anomalies added."""

    def make(
        *, seed: int = 0, n_samples: int = rows, anomaly_share: float = 0.0, by_class: bool = False, **params: float
    ) -> Dataset:
        return dataset.make_toy(
            density(**params), n_samples, seed, label, anomaly_share=anomaly_share, by_class=by_class
        )

    shared = [p for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
    own = [p.replace(kind=p.KEYWORD_ONLY) for p in inspect.signature(density).parameters.values()]
    make.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    return make


def _number(name: str, label: str, low: float, high: float, step: float, help: str = "", main: bool = False) -> Control:
    return Control(name, label, "float", low, high, step, help=help, main=main)


def _count(name: str, label: str, low: int, high: int, help: str = "", main: bool = False) -> Control:
    return Control(name, label, "int", low, high, 1, help=help, main=main)


def _noise(low: float, high: float, step: float = 0.01) -> Control:
    return _number("noise", "Noise", low, high, step, "Standard deviation of the noise, in data units.", main=True)


ANOMALIES = _number(
    "anomaly_share",
    "Share of anomalies",
    0.0,
    0.2,
    0.005,
    "Rows replaced by labelled outliers spread evenly over the window.",
)
BY_CLASS = Control(
    "by_class",
    "Given the class",
    "flag",
    help="Coupling and autoregressive flows then learn one density per class from one network, and draw from a chosen "
    "class. Models that cannot be conditioned read the class as a number.",
    later=True,
)

_ENTRIES = (
    _toy("moons", "Half moons", curves.Moons, _noise(0.01, 0.5), blurb="Two half circles with noise."),
    _toy(
        "eight_gaussians",
        "Eight Gaussians",
        mixtures.GaussianModes,
        _noise(0.1, 1.5, 0.05),
        _count("n_modes", "Modes", 1, 16),
        _number("radius", "Radius", 0.0, 8.0, 0.5),
        blurb="Round modes on a circle: does the flow keep them apart?",
    ),
    _toy(
        "rings", "Rings", curves.Rings, _noise(0.02, 0.3), _count("n_rings", "Rings", 1, 6), blurb="Circles in circles."
    ),
    _toy(
        "checkerboard",
        "Checkerboard",
        shapes.Checkerboard,
        _count("n_cells", "Cells per side", 2, 10, main=True),
        blurb="A density with edges, which smooth maps can only approach.",
    ),
    _toy(
        "spirals",
        "Two spirals",
        curves.Spirals,
        _noise(0.03, 0.4),
        _number("turns", "Turns", 0.5, 3.0, 0.25),
        blurb="Two arms wound around each other.",
    ),
    _toy(
        "pinwheel",
        "Pinwheel",
        mixtures.Pinwheel,
        _noise(0.03, 0.3),
        _count("n_arms", "Arms", 2, 9),
        _number("bend", "Bend", 0.0, 0.6, 0.05),
        blurb="Gaussian arms, bent.",
    ),
    _toy(
        "banana",
        "Banana",
        shapes.Banana,
        _noise(0.05, 1.0, 0.05),
        _number("curvature", "Curvature", 0.0, 2.0, 0.1),
        blurb="A Gaussian, bent once: one coupling can undo it.",
    ),
    _toy("swiss_roll", "Swiss roll", curves.SwissRoll, _noise(0.03, 0.5), blurb="The cross section of the roll."),
    _toy(
        "star",
        "Star",
        mixtures.Star,
        _noise(0.03, 0.5),
        _count("n_arms", "Arms", 1, 8),
        _number("length", "Length", 0.5, 4.0, 0.25),
        blurb="Long Gaussians crossed in one point.",
    ),
    _toy(
        "sine",
        "Widening sine",
        shapes.Sine,
        _noise(0.05, 0.6, 0.05),
        _number("widening", "Widening", 0.0, 1.5, 0.1),
        blurb="Noise that grows from left to right: what an autoencoder takes to be equal everywhere.",
    ),
    _toy(
        "funnel",
        "Funnel",
        shapes.Funnel,
        _number("steepness", "Steepness", 0.0, 1.5, 0.1, main=True),
        blurb="Neal's funnel.",
    ),
    _toy(
        "gaussian",
        "Correlated Gaussian",
        shapes.CorrelatedGaussian,
        _number("correlation", "Correlation", -0.95, 0.95, 0.05, main=True),
        _count("n_features", "Features", 1, 64),
        blurb="What a single affine map can learn exactly.",
    ),
    _toy(
        "clump_1d",
        "Clump in one dimension",
        contaminated.Clump1D,
        _number("width", "Width of the clump", 0.02, 1.0, 0.01, main=True),
        _number("distance", "Distance", 0.0, 20.0, 0.5),
        _number("share", "Share of anomalies", 0.001, 0.2, 0.001),
        blurb="Lecture 002: 99 % normal at 0, 1 % in a clump at 10. A perfect density finds the clump likely.",
    ),
    _toy(
        "clump_2d",
        "Clump in two dimensions",
        contaminated.Clump2D,
        _number("distance", "Distance", 0.0, 8.0, 0.01, main=True),
        _number("share", "Share of anomalies", 0.0005, 0.2, 0.0005),
        n_samples=50_000,
        blurb="Lecture 002's exercise: 50 000 rows, one in a thousand from another Gaussian.",
    ),
    _toy(
        "table_64d",
        "64 features",
        table64.Table64,
        blurb="Six Gaussians in 64 dimensions, bent; the exact density is known.",
    ),
)

TRAIN_ON = Control(
    "train_on",
    "Training rows",
    "choice",
    choices={"normal": "rows labelled normal", "all": "all rows"},
    help="Whether rows labelled as anomalies take part in the fit.",
)


def _bundled(name: str, label: str, blurb: str) -> Entry:
    classes = bundled.class_names(name)
    controls = (
        Control("anomaly_class", "Anomaly", "choice", choices={c: c.replace("_", " ") for c in classes}, main=True),
        TRAIN_ON,
        _number(
            "anomaly_share", "Share kept", 0.02, 1.0, 0.02, "Share of the anomalous rows that are kept, at random."
        ),
    )

    def make(
        *,
        seed: int = 0,
        anomaly_class: str = bundled.DEFAULT_ANOMALY[name],
        train_on: str = "normal",
        anomaly_share: float = 1.0,
    ) -> Dataset:
        return bundled.make_bundled(name, anomaly_class, train_on, anomaly_share, seed)

    return Entry(name, label, make, controls, blurb, BUNDLED)


_TABLES = (
    _bundled("breast_cancer", "Breast cancer", "569 tumours, 30 measurements; one diagnosis is the anomaly."),
    _bundled("wine", "Wine", "178 wines of three growers, 13 measurements; one grower is the anomaly."),
    _bundled("digits", "Digits", "1 797 handwritten digits of 8 x 8 pixels; one digit is the anomaly."),
    _bundled("iris", "Iris", "150 flowers, 4 measurements; one species is the anomaly."),
    Entry(
        "cluster",
        "Computing cluster",
        simulated.make_cluster,
        (
            Control("n_rows", "Rows", "int", 600, 50_000, 100, log=True, help="One row every five minutes."),
            _number("fault_share", "Share of faults", 0.0, 0.4, 0.02, main=True),
            _number("noise", "Sensor noise", 0.1, 3.0, 0.1),
        ),
        "Simulated after lecture 000: 159 sensors over time, three operating modes, two kinds of fault.",
        SIMULATED,
    ),
    Entry(
        "malware",
        "Stuffed malware",
        simulated.make_malware,
        (
            _number(
                "stuffing", "Stuffing", 0.0, 2.0, 0.1, "How much of a benign program is copied into it.", main=True
            ),
            Control("n_rows", "Rows", "int", 1000, 100_000, 1000, log=True),
            _number("share", "Share of malware", 0.002, 0.2, 0.002),
            _number("stuffed_share", "Stuffed among them", 0.0, 1.0, 0.05),
        ),
        "Simulated after lecture 003: malware stuffed with the strings of benign programs.",
        SIMULATED,
    ),
)


def _text(name: str, label: str) -> Control:
    return Control(name, label, "text")


_DRAWING = Entry(
    "drawing",
    "Your own drawing",
    drawing.make_drawing,
    (
        _text("points", "Points"),
        Control("copies", "Copies of each point", "int", 1, 50, 1, help="A flow wants more points than a hand draws."),
        _number("spread", "Spread", 0.0, 0.3, 0.01, "Standard deviation of the noise around each point.", main=True),
    ),
    "Points painted by hand on the Data page.",
    DRAWN,
)


def _make_upload(frame: pd.DataFrame, *, digest: str = "", **params: Scalar) -> Dataset:
    """The Dataset of an uploaded table; `digest` names it in the store."""
    return from_table.make_table_dataset(frame, **params)[0]


_make_upload.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *inspect.signature(from_table.make_table_dataset).parameters.values(),
        inspect.signature(_make_upload).parameters["digest"],
    ]
)


_UPLOAD = Entry(
    "upload",
    "Uploaded table",
    _make_upload,
    (
        _text("digest", "Digest of the table"),
        _text("name", "File"),
        _text("label", "Label column"),
        _text("anomaly_values", "Values that mean anomaly"),
        _text("time", "Time column"),
        _text("roles", "Column roles"),
        TRAIN_ON,
        Control(
            "split",
            "Division of the rows",
            "choice",
            choices={"auto": "by time if there is a time column", "random": "at random", "chronological": "by time"},
        ),
        _text("fractions", "Training, validation and test rows (%)"),
        _text("missing", "Missing values"),
        Control("clock", "Hour and weekday as features", "flag"),
        Control("lags", "Earlier rows as features", "int", 0, 96, 1, help="Windows of a time series."),
    ),
    "Your own table.",
    UPLOADED,
)

DATASETS: dict[str, Entry] = {entry.name: entry for entry in (*_ENTRIES, *_TABLES, _DRAWING, _UPLOAD)}
