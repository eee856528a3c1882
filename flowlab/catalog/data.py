"""The data sets of the catalog: toy densities, tables that ship with scikit-learn, simulated ones, images, uploads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Unpack

from flowlab.catalog.entry import Entry
from flowlab.constraints import TEXT, checked
from flowlab.controls import Choice, Control, Flag, Float, Int, Text
from flowlab.datasets import bundled, drawing, from_table, simulated
from flowlab.datasets.dataset import Dataset
from flowlab.images import sets, uploaded
from flowlab.images.openml import FETCHED
from flowlab.toys import base, contaminated, curves, dataset, mixtures, shapes, table64

if TYPE_CHECKING:
    import pandas as pd


TOYS = "Toy densities"
BUNDLED = "Tables that ship with scikit-learn"
SIMULATED = "Simulated tables"
IMAGES = "Images"
DRAWN = "Your own drawing"
UPLOADED = "Uploaded table"


def _toy(
    name: str,
    label: str,
    density: type[base.ToyDensity],
    *controls: Control,
    n_samples: int = 20_000,
    blurb: str = "",
) -> Entry:
    rows = Int("n_samples", "Rows", 200, 200_000, 1000, log=True, help="Rows drawn; 80 % of them train.")
    planar = "anomaly_component" not in vars(density) and density.n_features == 2
    more = (rows, *[ANOMALIES] * planar, *[BY_CLASS] * (density.n_classes is not base.ToyDensity.n_classes))
    draw = partial(dataset.make_toy, n_samples=n_samples, name=label)

    def make(**params: Any) -> Dataset:
        own = {name: params.pop(name) for name in signature(density).parameters if name in params}
        return draw(density(**own), **params)

    return Entry(name, label, make, (*controls, *more), blurb, TOYS, parts=(density, draw))


def _noise(low: float, high: float, step: float = 0.01) -> Control:
    return Float("noise", "Noise", low, high, step, help="Standard deviation of the noise, in data units.", main=True)


ANOMALIES = Float(
    "anomaly_share",
    "Share of anomalies",
    0.0,
    0.2,
    0.005,
    help="Rows replaced by labelled outliers spread evenly over the window.",
)
BY_CLASS = Flag(
    "by_class",
    "Given the class",
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
        Int("n_modes", "Modes", 1, 16),
        Float("radius", "Radius", 0.0, 8.0, 0.5),
        blurb="Round modes on a circle: does the flow keep them apart?",
    ),
    _toy("rings", "Rings", curves.Rings, _noise(0.02, 0.3), Int("n_rings", "Rings", 1, 6), blurb="Circles in circles."),
    _toy(
        "checkerboard",
        "Checkerboard",
        shapes.Checkerboard,
        Int("n_cells", "Cells per side", 2, 10, main=True),
        blurb="A density with edges, which smooth maps can only approach.",
    ),
    _toy(
        "spirals",
        "Two spirals",
        curves.Spirals,
        _noise(0.03, 0.4),
        Float("turns", "Turns", 0.5, 3.0, 0.25),
        blurb="Two arms wound around each other.",
    ),
    _toy(
        "pinwheel",
        "Pinwheel",
        mixtures.Pinwheel,
        _noise(0.03, 0.3),
        Int("n_arms", "Arms", 2, 9),
        Float("bend", "Bend", 0.0, 0.6, 0.05),
        blurb="Gaussian arms, bent.",
    ),
    _toy(
        "banana",
        "Banana",
        shapes.Banana,
        _noise(0.05, 1.0, 0.05),
        Float("curvature", "Curvature", 0.0, 2.0, 0.1),
        blurb="A Gaussian, bent once: one coupling can undo it.",
    ),
    _toy("swiss_roll", "Swiss roll", curves.SwissRoll, _noise(0.03, 0.5), blurb="The cross section of the roll."),
    _toy(
        "star",
        "Star",
        mixtures.Star,
        _noise(0.03, 0.5),
        Int("n_arms", "Arms", 1, 8),
        Float("length", "Length", 0.5, 4.0, 0.25),
        blurb="Long Gaussians crossed in one point.",
    ),
    _toy(
        "sine",
        "Widening sine",
        shapes.Sine,
        _noise(0.05, 0.6, 0.05),
        Float("widening", "Widening", 0.0, 1.5, 0.1),
        blurb="Noise that grows from left to right: what an autoencoder takes to be equal everywhere.",
    ),
    _toy(
        "funnel",
        "Funnel",
        shapes.Funnel,
        Float("steepness", "Steepness", 0.0, 1.5, 0.1, main=True),
        blurb="Neal's funnel.",
    ),
    _toy(
        "gaussian",
        "Correlated Gaussian",
        shapes.CorrelatedGaussian,
        Float("correlation", "Correlation", -0.95, 0.95, 0.05, main=True),
        Int("n_features", "Features", 1, 64),
        blurb="What a single affine map can learn exactly.",
    ),
    _toy(
        "clump_1d",
        "Clump in one dimension",
        contaminated.Clump1D,
        Float("width", "Width of the clump", 0.02, 1.0, 0.01, main=True),
        Float("distance", "Distance", 0.0, 20.0, 0.5),
        Float("share", "Share of anomalies", 0.001, 0.2, 0.001),
        blurb="Lecture 002: 99 % normal at 0, 1 % in a clump at 10. A perfect density finds the clump likely.",
    ),
    _toy(
        "clump_2d",
        "Clump in two dimensions",
        contaminated.Clump2D,
        Float("distance", "Distance", 0.0, 8.0, 0.01, main=True),
        Float("share", "Share of anomalies", 0.0005, 0.2, 0.0005),
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

TRAIN_ON = Choice(
    "train_on",
    "Training rows",
    {"normal": "rows labelled normal", "all": "all rows"},
    help="Whether rows labelled as anomalies take part in the fit.",
)


def _bundled(name: str, label: str, blurb: str) -> Entry:
    classes = bundled.class_names(name)
    controls = (
        Choice("anomaly_class", "Anomaly", {c: c.replace("_", " ") for c in classes}, main=True),
        TRAIN_ON,
        Float(
            "anomaly_share", "Share kept", 0.02, 1.0, 0.02, help="Share of the anomalous rows that are kept, at random."
        ),
    )

    make = partial(bundled.make_bundled, name, anomaly_class=bundled.DEFAULT_ANOMALY[name])
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
            Int("n_rows", "Rows", 600, 50_000, 100, log=True, help="One row every five minutes."),
            Float("fault_share", "Share of faults", 0.0, 0.4, 0.02, main=True),
            Float("noise", "Sensor noise", 0.1, 3.0, 0.1),
        ),
        "Simulated after lecture 000: 159 sensors over time, three operating modes, two kinds of fault.",
        SIMULATED,
    ),
    Entry(
        "malware",
        "Stuffed malware",
        simulated.make_malware,
        (
            Float(
                "stuffing", "Stuffing", 0.0, 2.0, 0.1, help="How much of a benign program is copied into it.", main=True
            ),
            Int("n_rows", "Rows", 1000, 100_000, 1000, log=True),
            Float("share", "Share of malware", 0.002, 0.2, 0.002),
            Float("stuffed_share", "Stuffed among them", 0.0, 1.0, 0.05),
        ),
        "Simulated after lecture 003: malware stuffed with the strings of benign programs.",
        SIMULATED,
    ),
)

_OUT_WORDS = {
    sets.NONE: "nothing, no labels",
    sets.REST: "the digits 5 to 9",
    "china": "patches of china.jpg",
    "flower": "patches of flower.jpg",
    "digits": "digits",
    "constant": "one colour, the mean of each",
    "gradient": "slopes of grey",
    "blurred": "the same, blurred",
    "noise": "uniform noise",
    "shuffled": "the same, pixels shuffled",
    "half_contrast": "the same, half the contrast",
    "shapes": "discs, bars and frames",
    "clouds": "clouds: noise of slow waves",
    "mnist": "MNIST, fetched",
    "fashion_mnist": "Fashion-MNIST, fetched",
}
_FAMILY_WORDS = {
    name: words.replace("the same", "china.jpg") for name, words in _OUT_WORDS.items() if name in sets.FAMILIES
}
_BROAD_WORDS = {sets.BROAD: "a broad set: waves, slopes, shapes, noise"}


def _out(*left_out: str) -> Choice:
    words = {name: words for name, words in _OUT_WORDS.items() if name not in left_out}
    return Choice("out", "Outside", words, main=True, help="Pictures that are labelled as anomalies.")


_OUT_SHARE = Float("out_share", "Share outside", 0.02, 0.5, 0.02, help="Share of the pictures that are outside.")
_SIDE = Choice("side", "Size", {"8": "8 x 8 pixels", "16": "16 x 16 pixels"})
_COLOR = Choice("color", "Colour", {"grey": "grey", "colour": "colour"})
_N_IMAGES = Int("n_images", "Pictures inside", 200, 60_000, 1000, log=True)

_IMAGES: tuple[Entry[Callable[..., Dataset]], ...] = (
    Entry(
        "digit_images",
        "Digit images",
        sets.make_digit_images,
        (
            Choice("inside", "Inside", {"0-4": "the digits 0 to 4", "all": "all ten digits"}, main=True),
            _out(),
            _OUT_SHARE,
            BY_CLASS,
            TRAIN_ON,
        ),
        "Handwritten digits of 8 x 8 pixels: 0 to 4 are learned, 5 to 9 are the anomalies.",
        IMAGES,
    ),
    Entry(
        "patches",
        "Photo patches",
        sets.make_patches,
        (
            Choice("photo", "Inside", {"china": "china.jpg", "flower": "flower.jpg"}, main=True),
            _out(sets.REST),
            _SIDE,
            _COLOR,
            _N_IMAGES,
            _OUT_SHARE,
            TRAIN_ON,
        ),
        "Small squares of one photograph are learned; those of another, or blurred ones, are the anomalies.",
        IMAGES,
    ),
    Entry(
        "synthetic_images",
        "Synthetic images",
        sets.make_synthetic,
        (
            Choice("family", "Inside", _FAMILY_WORDS | _BROAD_WORDS, main=True),
            _out(sets.REST),
            _SIDE,
            _COLOR,
            _N_IMAGES,
            _OUT_SHARE,
            TRAIN_ON,
        ),
        "One colour, slopes, shapes, clouds, noise: families whose pictures are simple or complex by construction.",
        IMAGES,
    ),
    *(
        Entry(
            name,
            words,
            partial(sets.make_fetched, name),
            (_out(sets.REST, name), _N_IMAGES, _OUT_SHARE, BY_CLASS, TRAIN_ON),
            f"{words}, 28 x 28 pixels, fetched from OpenML: this computer must reach it.",
            IMAGES,
            needs_network=True,
        )
        for name, (words, *_) in FETCHED.items()
    ),
)


_DRAWING = Entry(
    "drawing",
    "Your own drawing",
    drawing.make_drawing,
    (
        Text("points", "Points"),
        Int("copies", "Copies of each point", 1, 50, 1, help="A flow wants more points than a hand draws."),
        Float("spread", "Spread", 0.0, 0.3, 0.01, help="Standard deviation of the noise around each point.", main=True),
    ),
    "Points painted by hand on the Data page.",
    DRAWN,
)


@checked(digest=TEXT)
def _make_upload(frame: pd.DataFrame, *, digest: str = "", **params: Unpack[from_table.TableSettings]) -> Dataset:
    """The Dataset of an uploaded table; `digest` names it in the store."""
    return from_table.make_table_dataset(frame, **params)[0]


_UPLOAD = Entry(
    "upload",
    "Uploaded table",
    _make_upload,
    (
        Text("digest", "Digest of the table"),
        Text("name", "File"),
        Text("label", "Label column"),
        Text("anomaly_values", "Values that mean anomaly"),
        Text("time", "Time column"),
        Text("roles", "Column roles"),
        Choice(
            "train_on",
            "Training rows",
            {
                "normal": "rows labelled normal, else all",
                "all": "all rows",
                "known": "all rows, known to be normal",
            },
            help="Whether rows labelled as anomalies take part in the fit. A detector trains otherwise on rows known "
            "to be normal; without labels only you can know it.",
        ),
        Choice(
            "split",
            "Division of the rows",
            {
                "auto": "by time, or in order where neighbours are alike",
                "random": "at random",
                "chronological": "by time",
            },
        ),
        Text("fractions", "Training, validation and test rows (%)"),
        Text("left_out", "Rows left out of training", later=True),
        Text("missing", "Missing values"),
        Flag("clock", "Hour and weekday as features"),
        Int("lags", "Earlier rows as features", 0, 96, 1, help="Windows of a time series."),
    ),
    "Your own table.",
    UPLOADED,
    parts=(from_table.make_table_dataset, _make_upload),
)

_PICTURES = Entry(
    "pictures",
    "Uploaded pictures",
    uploaded.make_uploaded,
    (
        Text("digest", "Digest of the table"),
        Text("name", "File"),
        Text("anomaly_values", "Classes that mean anomaly"),
        TRAIN_ON,
    ),
    "Your own pictures.",
    UPLOADED,
)

DATASETS: dict[str, Entry[Callable[..., Dataset]]] = {
    entry.name: entry for entry in (*_ENTRIES, *_TABLES, *_IMAGES, _DRAWING, _UPLOAD, _PICTURES)
}
