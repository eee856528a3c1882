"""Controls that several models share: labels, ranges and help texts of their parameters."""

from __future__ import annotations

from dataclasses import replace

from flowlab.catalog.entry import Control


def count(name: str, label: str, low: int, high: int, step: int = 1, help: str = "", main: bool = False) -> Control:
    """A control of a whole number."""
    return Control(name, label, "int", low, high, step, help=help, main=main)


def learning(control: Control) -> Control:
    """The control as one that a fork may change."""
    return replace(control, learning=True)


LAYERS = count("n_layers", "Layers", 1, 32, help="Invertible layers, one after the other.", main=True)
STEPS = learning(
    count("n_steps", "Steps", 50, 50_000, 50, "Optimiser steps; the learning rate falls to zero at the last.", True)
)
WIDTH = count("hidden_features", "Network width", 4, 256, 4, "Units in each hidden layer of a layer's network.")
HIDDEN = count("n_hidden", "Network depth", 1, 4, 1, "Hidden layers of a layer's network.")
BLOCKS = count("n_blocks", "Network blocks", 1, 4, 1, "Residual blocks of a layer's network.")
BINS = count("n_bins", "Bins", 2, 32, 1, "Pieces of each spline.", True)
BATCH = learning(count("batch_size", "Batch size", 16, 4096, 16, "Rows per step."))
BOUND = Control(
    "tail_bound",
    "Tail bound",
    "float",
    1.0,
    10.0,
    0.5,
    help="Beyond it, in standard deviations, the map is the identity.",
)
RATE = learning(
    Control("learning_rate", "Learning rate", "float", 1e-5, 0.5, 1e-3, help="Peak of the schedule.", log=True)
)
DECAY = learning(
    Control("weight_decay", "Weight decay", "float", 0.0, 10.0, 0.1, help="Pulls weights to zero; decoupled.", log=True)
)
NOISE = learning(
    Control("noise", "Input noise", "float", 0.0, 0.5, 0.01, help="In standard deviations; blurs a small sample.")
)
PATIENCE = learning(
    count("patience", "Patience", 0, 200, 1, "Evaluations without progress before training stops; 0 never stops.")
)
LAYERS_FOLDED = count("n_layers", "Layers", 1, 32, help="Invertible layers of each flow.")
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
CODE = count("n_latent", "Code size", 1, 64, help="Numbers a row is squeezed into.", main=True)
AE_LAYERS = count(
    "n_layers", "Depth", 0, 4, help="Hidden layers of the encoder, and as many of the decoder; 0 is linear: PCA."
)
AE_WIDTH = count("width", "Width", 4, 256, 4, "Units in each hidden layer.")
