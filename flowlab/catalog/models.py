"""The models of the catalog, by family."""

from __future__ import annotations

from dataclasses import replace

from flowlab.catalog.entry import Control, Entry
from flowlab.models import autoencoders, baselines, detector, flows, nflows, scorers, trivial, variational

FLOWS = "Flows"
NFLOWS = "Flows as nflows ships them"
AUTOENCODERS = "Autoencoders"
CLASSICAL = "Classical rivals"
TRIVIAL = "Trivial rivals"
DETECTORS = "Detectors"


def _count(name: str, label: str, low: int, high: int, step: int = 1, help: str = "", main: bool = False) -> Control:
    return Control(name, label, "int", low, high, step, help=help, main=main)


def _learning(control: Control) -> Control:
    return replace(control, learning=True)


LAYERS = _count("n_layers", "Layers", 1, 32, help="Invertible layers, one after the other.", main=True)
STEPS = _learning(
    _count("n_steps", "Steps", 50, 50_000, 50, "Optimiser steps; the learning rate falls to zero at the last.", True)
)
WIDTH = _count("hidden_features", "Network width", 4, 256, 4, "Units in each hidden layer of a layer's network.")
HIDDEN = _count("n_hidden", "Network depth", 1, 4, 1, "Hidden layers of a layer's network.")
BLOCKS = _count("n_blocks", "Network blocks", 1, 4, 1, "Residual blocks of a layer's network.")
BINS = _count("n_bins", "Bins", 2, 32, 1, "Pieces of each spline.", True)
BATCH = _learning(_count("batch_size", "Batch size", 16, 4096, 16, "Rows per step."))
BOUND = Control(
    "tail_bound",
    "Tail bound",
    "float",
    1.0,
    10.0,
    0.5,
    help="Beyond it, in standard deviations, the map is the identity.",
)
RATE = _learning(
    Control("learning_rate", "Learning rate", "float", 1e-5, 0.5, 1e-3, help="Peak of the schedule.", log=True)
)
DECAY = _learning(
    Control("weight_decay", "Weight decay", "float", 0.0, 10.0, 0.1, help="Pulls weights to zero; decoupled.", log=True)
)
NOISE = _learning(
    Control("noise", "Input noise", "float", 0.0, 0.5, 0.01, help="In standard deviations; blurs a small sample.")
)
PATIENCE = _learning(
    _count("patience", "Patience", 0, 200, 1, "Evaluations without progress before training stops; 0 never stops.")
)
LAYERS_FOLDED = _count("n_layers", "Layers", 1, 32, help="Invertible layers of each flow.")
PERMUTATION = Control(
    "permutation",
    "Order of columns",
    "choice",
    choices={"reverse": "reversed after each layer", "random": "shuffled after each layer", "none": "always the same"},
    help="Which columns come first in the next layer.",
)
NORM = Control(
    "activation_norm", "Activation normalisation", "flag", help="A learned scale and shift before each layer."
)
MASK = Control(
    "mask",
    "Mask",
    "mask",
    choices={"alternate": "every other column", "half": "first and second half", "random": "drawn for each layer"},
    help="Which columns a layer leaves alone and reads from. Or type a digit for each column: 0110 transforms the "
    "second and third, then the others, in turn; =0110 the same in each layer.",
)
SCALE = Control(
    "scale_map",
    "Scale map",
    "choice",
    choices={
        "tanh": "tanh: e to the \u00b11",
        "clamp": "soft clamp: e to the \u00b12",
        "contract": "contract: never stretches",
        "exp": "exp: unbounded",
        "sigmoid": "sigmoid: as nflows 0.14",
        "additive": "none: additive (NICE)",
    },
    help="How the network's output becomes the scale of an affine layer.",
)
CONVENTION = Control(
    "convention",
    "Convention",
    "choice",
    choices={
        "scale then shift": "scale then shift: x e\u02e2 + t",
        "shift then scale": "shift then scale: (x + t) e\u02e2",
    },
    help="Lectures 000 and 003 scale first, lecture 001 shifts first.",
)
REGULARIZE = Control(
    "regularize",
    "Regularisation",
    "choice",
    choices={"auto": "chosen by validation on small tables", "none": "off"},
    help="Below a few thousand rows a flow learns its training rows by heart; noise and early stopping prevent it.",
)
STANDARDIZE = Control(
    "standardize",
    "Standardise",
    "flag",
    help="Columns to mean 0 and standard deviation 1; the density stays in data units.",
)
FAULT = Control(
    "fault",
    "Break it on purpose",
    "choice",
    choices={
        "none": "no, leave it sound",
        "no log-determinant": "drop the log-determinant",
        "no mask": "drop the masks",
    },
    help="To see what goes wrong, and that the trust badge on the Explore page tells. Without the log-determinant loss "
    "and score are \u2212log N(z) alone; without masks a layer's network also reads the columns it changes.",
    later=True,
)
FAULT_IAF = replace(FAULT, choices={name: FAULT.choices[name] for name in ("none", "no log-determinant")})
TRAINING = (BATCH, RATE, DECAY, NOISE, PATIENCE, REGULARIZE, STANDARDIZE)

ACTIVATION = Control(
    "activation",
    "Activation",
    "choice",
    choices={"relu": "ReLU", "silu": "SiLU", "elu": "ELU", "tanh": "tanh"},
)
CODE = _count("n_latent", "Code size", 1, 64, help="Numbers a row is squeezed into.", main=True)
AE_LAYERS = _count(
    "n_layers", "Depth", 0, 4, help="Hidden layers of the encoder, and as many of the decoder; 0 is linear: PCA."
)
AE_WIDTH = _count("width", "Width", 4, 256, 4, "Units in each hidden layer.")

_ENTRIES = (
    Entry(
        "spline",
        "Spline flow",
        flows.SplineCouplingFlow,
        (LAYERS, STEPS, BINS, WIDTH, HIDDEN, BOUND, MASK, *TRAINING, FAULT),
        "Couplings whose maps are rational-quadratic splines: the sharpest densities in two dimensions.",
        FLOWS,
    ),
    Entry(
        "affine",
        "Affine coupling flow",
        flows.AffineCouplingFlow,
        (LAYERS, STEPS, WIDTH, HIDDEN, SCALE, CONVENTION, MASK, *TRAINING, FAULT),
        "RealNVP: half of the columns scale and shift the other half, in turn.",
        FLOWS,
    ),
    Entry(
        "maf",
        "Autoregressive flow",
        flows.MaskedAutoregressiveFlow,
        (LAYERS, STEPS, WIDTH, HIDDEN, SCALE, CONVENTION, PERMUTATION, NORM, *TRAINING, FAULT),
        "MAF: each column is scaled and shifted given the columns before it. The default for tables with many columns.",
        FLOWS,
    ),
    Entry(
        "iaf",
        "Inverse autoregressive flow",
        flows.InverseAutoregressiveFlow,
        (LAYERS, STEPS, WIDTH, HIDDEN, SCALE, CONVENTION, PERMUTATION, NORM, *TRAINING, FAULT_IAF),
        "IAF: the autoregressive flow turned round, so that drawing samples is one pass.",
        FLOWS,
    ),
    Entry(
        "planar",
        "Planar flow",
        flows.PlanarFlow,
        (LAYERS, STEPS, *TRAINING),
        "Each layer pushes across one line.",
        FLOWS,
    ),
    Entry(
        "radial",
        "Radial flow",
        flows.RadialFlow,
        (LAYERS, STEPS, *TRAINING),
        "Each layer swells around a point.",
        FLOWS,
    ),
    Entry(
        "detector",
        "Detector",
        detector.Detector,
        (
            _count("n_flows", "Flows", 0, 6, help="Bounded flows of different seeds.", main=True),
            Control(
                "classical",
                "Classical member",
                "choice",
                choices={
                    "auto": "chosen by the training rows",
                    "isolation forest": "isolation forest",
                    "nearest neighbours": "nearest neighbours",
                    "none": "none",
                },
                help="Isolation forest for unlabelled training rows, neighbours for rows known to be normal.",
            ),
            Control("classical_weight", "Its weight", "float", 0.0, 1.0, 0.05),
            _count("n_steps", "Steps of each flow", 0, 50_000, 50, "0 chooses them by the number of rows."),
            LAYERS_FOLDED,
            WIDTH,
            RATE,
        ),
        "Bounded flows and a classical detector, joined by tail probabilities: the default for finding anomalies.",
        DETECTORS,
    ),
    Entry(
        "nflows_maf",
        "Autoregressive flow of nflows",
        nflows.NflowsMAF,
        (LAYERS, STEPS, WIDTH, BLOCKS, BATCH, RATE),
        "Masked autoregressive flow as nflows 0.14 ships it: each column is set by the columns before it.",
        NFLOWS,
    ),
    Entry(
        "nflows_coupling",
        "Affine coupling of nflows",
        nflows.NflowsCoupling,
        (LAYERS, STEPS, WIDTH, BLOCKS, BATCH, RATE),
        "RealNVP as nflows 0.14 ships it. Its scale is at most 1.001, so it can shrink but not stretch.",
        NFLOWS,
    ),
    Entry(
        "nflows_spline",
        "Spline coupling of nflows",
        nflows.NflowsSplineCoupling,
        (LAYERS, STEPS, BINS, WIDTH, BLOCKS, BOUND, BATCH, RATE),
        "Neural spline flow with couplings as nflows 0.14 ships it.",
        NFLOWS,
    ),
    Entry(
        "nflows_spline_ar",
        "Autoregressive splines of nflows",
        nflows.NflowsSplineAutoregressive,
        (LAYERS, STEPS, BINS, WIDTH, BLOCKS, BOUND, BATCH, RATE),
        "Neural spline flow with autoregressive layers; drawing samples takes one pass per column.",
        NFLOWS,
    ),
    Entry(
        "lecture_realnvp",
        "RealNVP as in lecture 000",
        nflows.LectureRealNVP,
        (LAYERS, STEPS, WIDTH, BLOCKS, BATCH, RATE),
        "Ten couplings of 2 x 32, tanh-bounded scale, Adam at 0.001.",
        NFLOWS,
    ),
    Entry(
        "notebook_maf",
        "Flow of notebook 002",
        nflows.NotebookMAF,
        (LAYERS, STEPS, WIDTH, BLOCKS, BATCH, RATE),
        "Five autoregressive layers with 4 hidden features and random permutations.",
        NFLOWS,
    ),
    Entry(
        "autoencoder",
        "Autoencoder",
        autoencoders.Autoencoder,
        (
            CODE,
            STEPS,
            AE_LAYERS,
            AE_WIDTH,
            ACTIVATION,
            Control(
                "loss",
                "Loss",
                "choice",
                choices={"squared": "squared error", "absolute": "absolute error", "huber": "Huber"},
                help="What is measured between a row and its reconstruction.",
            ),
            _learning(
                Control("noise", "Input noise", "float", 0.0, 1.0, 0.05, help="Above 0: a denoising autoencoder.")
            ),
            Control("penalty", "Sparsity penalty", "float", 0.0, 5.0, 0.05, help="Weight of the penalty on the code."),
            Control("penalty_power", "Power of the penalty", "float", 0.25, 4.0, 0.25, help="1: absolute values (L1)."),
            Control(
                "prior",
                "Prior of the code",
                "choice",
                choices={"gaussian": "Gaussian", "laplace": "Laplace"},
                help="What is fitted to the codes of the training rows, and sampled from.",
            ),
            BATCH,
            RATE,
            DECAY,
            PATIENCE,
        ),
        "Rows through a narrow code and back; what comes back badly is anomalous. No density.",
        AUTOENCODERS,
    ),
    Entry(
        "vae",
        "Variational autoencoder",
        variational.VariationalAutoencoder,
        (
            CODE,
            STEPS,
            Control(
                "beta", "Beta", "float", 0.0, 20.0, 0.1, help="Weight of the divergence from the prior.", main=True
            ),
            AE_LAYERS,
            AE_WIDTH,
            ACTIVATION,
            Control(
                "variance",
                "Output variance",
                "choice",
                choices={"learned": "learned for each column", "fixed": "fixed"},
                help="The noise the decoder assumes around its output.",
            ),
            Control("sigma", "Fixed output noise", "float", 0.01, 2.0, 0.01, help="In standard deviations."),
            Control(
                "kl_warmup",
                "Warm-up of beta",
                "float",
                0.0,
                0.9,
                0.05,
                help="Share of training in which beta rises to its value.",
            ),
            BATCH,
            RATE,
            DECAY,
            PATIENCE,
        ),
        "A code with a distribution: trained by a lower bound of the log-density, which importance sampling tightens.",
        AUTOENCODERS,
    ),
    Entry(
        "kde",
        "Kernel density",
        baselines.KDE,
        (
            Control(
                "bandwidth", "Bandwidth", "choice", choices={"scott": "rule of thumb (Scott)", "cv": "cross-validated"}
            ),
            STANDARDIZE,
        ),
        "A small bump on every training row.",
        CLASSICAL,
    ),
    Entry("gaussian", "One Gaussian", baselines.Gaussian, (), "Mean and covariance of the training rows.", CLASSICAL),
    Entry(
        "mixture",
        "Gaussian mixture",
        baselines.GaussianMixture,
        (_count("max_components", "Most components", 1, 30, help="BIC chooses their number up to here.", main=True),),
        "A few Gaussians; the Bayesian information criterion chooses how many.",
        CLASSICAL,
    ),
    Entry(
        "forest",
        "Isolation forest",
        scorers.IsolationForestModel,
        (_count("n_trees", "Trees", 10, 500, 10, main=True), _count("max_samples", "Rows per tree", 16, 4096, 16)),
        "Rows that few random cuts isolate are anomalous.",
        CLASSICAL,
    ),
    Entry(
        "neighbours",
        "Nearest neighbours",
        scorers.NearestNeighbours,
        (_count("n_neighbors", "Neighbours", 1, 100, main=True), STANDARDIZE),
        "The distance to the nearest training rows.",
        CLASSICAL,
    ),
    Entry(
        "pca",
        "PCA residual",
        scorers.PCAResidual,
        (Control("variance", "Variance kept", "float", 0.1, 0.999, 0.01, main=True), STANDARDIZE),
        "What the leading principal components leave out of a row.",
        CLASSICAL,
    ),
    Entry(
        "largest_z",
        "Largest |z|",
        trivial.LargestZ,
        (),
        "How many standard deviations the strangest column is off.",
        TRIVIAL,
    ),
    Entry("sum_of_squares", "Sum of z\u00b2", trivial.SumOfSquares, (), "Independent Gaussian columns.", TRIVIAL),
    Entry("random", "Random score", trivial.RandomScore, (), "A coin: what knowing nothing scores.", TRIVIAL),
)

MODELS: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
