"""Controls that several models share: labels, ranges and help texts of their parameters."""

from __future__ import annotations

from dataclasses import replace

from flowlab.controls import Choice, Flag, Float, Int, Mask

LAYERS = Int("n_layers", "Layers", 1, 32, help="Invertible layers, one after the other.", main=True)
STEPS = Int(
    "n_steps",
    "Steps",
    50,
    50_000,
    50,
    help="Optimiser steps; the learning rate falls to zero at the last.",
    main=True,
    learning=True,
)
WIDTH = Int("hidden_features", "Network width", 4, 256, 4, help="Units in each hidden layer of a layer's network.")
HIDDEN = Int("n_hidden", "Network depth", 0, 4, help="Hidden layers of a layer's network; 0: s and t are linear.")
HIDDEN_MASKED = Int("n_hidden", "Network depth", 1, 4, help="Hidden layers of a layer's network.")
BLOCKS = Int("n_blocks", "Network blocks", 1, 4, help="Residual blocks of a layer's network.")
BINS = Int("n_bins", "Bins", 2, 32, help="Pieces of each spline.", main=True)
BATCH = Int(
    "batch_size",
    "Batch size",
    16,
    1_000_000,
    16,
    help="Rows per step; more than there are training rows: all of them in each step.",
    log=True,
    learning=True,
)
BOUND = Float(
    "tail_bound",
    "Tail bound",
    1.0,
    10.0,
    0.5,
    help="Beyond it, in standard deviations, the map is the identity. Heavy-tailed columns are brought inside by a map "
    "that is learned from them first.",
)
RATE = Float("learning_rate", "Learning rate", 1e-5, 0.5, 1e-3, help="Peak of the schedule.", log=True, learning=True)
DECAY = Float(
    "weight_decay", "Weight decay", 0.0, 10.0, 0.1, help="Pulls weights to zero; decoupled.", log=True, learning=True
)
NOISE = Float(
    "noise", "Input noise", 0.0, 0.5, 0.01, help="In standard deviations; blurs a small sample.", learning=True
)
PATIENCE = Int(
    "patience",
    "Patience",
    0,
    200,
    help="Evaluations without progress before training stops; 0 never stops.",
    learning=True,
)
MIN_DELTA = Float(
    "min_delta",
    "Delta",
    0.0,
    1.0,
    0.001,
    help="By how much the validation loss must fall to count as progress; for patience above 0.",
    log=True,
    learning=True,
    later=True,
)
KEEP_BEST = Flag(
    "keep_best",
    "Restore the best step",
    help="Keep the weights that were best on validation rows; off: those of the last step.",
    learning=True,
    later=True,
)
STOPPING = (PATIENCE, MIN_DELTA, KEEP_BEST)
LAYERS_FOLDED = Int("n_layers", "Layers", 1, 32, help="Invertible layers of each flow.")
PERMUTATION = Choice(
    "permutation",
    "Order of columns",
    {
        "reverse": "reversed after each layer",
        "random": "shuffled after each layer",
        "none": "always the same",
        "lu": "reversed and mixed (LU)",
    },
    help="Which columns come first in the next layer. LU: a learned linear map mixes all columns between the layers.",
)
NORM = Flag("activation_norm", "Activation normalisation", help="A learned scale and shift before each layer.")
MASK = Mask(
    "mask",
    "Mask",
    {"alternate": "every other column", "half": "first and second half", "random": "drawn for each layer"},
    help="Which columns a layer leaves alone and reads from. Or type a digit for each column: 0110 transforms the "
    "second and third, then the others, in turn; =0110 the same in each layer.",
)
SCALE = Choice(
    "scale_map",
    "Scale map",
    {
        "tanh": "tanh: e to the \u00b11",
        "clamp": "soft clamp: e to the \u00b12",
        "contract": "contract: never stretches",
        "exp": "exp: unbounded",
        "sigmoid": "sigmoid: as nflows 0.14",
        "additive": "none: additive (NICE)",
    },
    help="How the network's output becomes the scale of an affine layer.",
)
CONVENTION = Choice(
    "convention",
    "Convention",
    {"scale then shift": "scale then shift: x e\u02e2 + t", "shift then scale": "shift then scale: (x + t) e\u02e2"},
    help="Lectures 000 and 003 scale first, lecture 001 shifts first.",
)
REGULARIZE = Choice(
    "regularize",
    "Regularisation",
    {"auto": "chosen by validation on small tables", "none": "off"},
    help="Below ten thousand rows a flow learns its training rows by heart: noise is added that fades, and the weights "
    "are kept that do best on validation rows. Training ends early only with a patience above 0.",
)
STANDARDIZE = Flag(
    "standardize", "Standardise", help="Columns to mean 0 and standard deviation 1; the density stays in data units."
)
FAULT = Choice(
    "fault",
    "Break it on purpose",
    {"none": "no, leave it sound", "no log-determinant": "drop the log-determinant", "no mask": "drop the masks"},
    help="To see what goes wrong, and that the trust badge on the Explore page tells. Without the log-determinant loss "
    "and score are \u2212log N(z) alone; without masks a layer's network also reads the columns it changes.",
    later=True,
)
FAULT_IAF = replace(FAULT, choices={name: FAULT.choices[name] for name in ("none", "no log-determinant")})
TRAINING = (BATCH, RATE, DECAY, NOISE, *STOPPING, REGULARIZE, STANDARDIZE)

ACTIVATION = Choice("activation", "Activation", {"relu": "ReLU", "silu": "SiLU", "elu": "ELU", "tanh": "tanh"})
CODE = Int("n_latent", "Code size", 1, 64, help="Numbers a row is squeezed into.", main=True)
AE_LAYERS = Int(
    "n_layers", "Depth", 0, 4, help="Hidden layers of the encoder, and as many of the decoder; 0 is linear: PCA."
)
AE_WIDTH = Int("width", "Width", 4, 256, 4, help="Units in each hidden layer.")
