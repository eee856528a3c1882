"""The models of the catalog that learn pictures alone."""

from __future__ import annotations

from flowlab.catalog.controls import BATCH, CONVENTION, DECAY, RATE, STEPS
from flowlab.catalog.entry import Entry
from flowlab.controls import Choice, Flag, Float, Int, Mask
from flowlab.models.base import DensityModel
from flowlab.models.images import image_flow, pixelcnn_model, two_level_vae

IMAGES = "Models of pictures"

CHANNELS = Int("hidden_channels", "Network width", 2, 256, 2, help="Channels of each hidden layer.")
DEQUANTIZE = Choice(
    "dequantize",
    "Dequantisation",
    {"uniform": "uniform noise in each 8-bit cell", "none": "none: values are not of 8 bits"},
    help="A density of whole numbers can grow without end; noise of the size of their steps prevents it.",
)
CORRUPTION = Float(
    "corruption",
    "Corrupted pixels",
    0.0,
    0.9,
    0.05,
    help="Share of the pixels of each batch replaced by uniform ones: a background model for a ratio.",
)
DEVICE = Choice(
    "device",
    "Device",
    {"auto": "graphics processor where there is one", "cpu": "processor", "cuda": "graphics processor"},
    help="Where the network computes; the numbers are the same up to rounding.",
)
TRAINING = (CORRUPTION, BATCH, RATE, DECAY, DEVICE)

IMAGE_ENTRIES: tuple[Entry[type[DensityModel]], ...] = (
    Entry(
        "image_flow",
        "Image flow",
        image_flow.ImageFlow,
        (
            Int("n_scales", "Scales", 1, 5, help="After each but the last, half of the variables goes.", main=True),
            STEPS,
            Int("n_couplings", "Couplings", 1, 16, help="Of pixels in each scale, and as many of channels.", main=True),
            CHANNELS,
            Mask(
                "mask",
                "Mask",
                {
                    "checkerboard": "checkerboard, then channels",
                    "channel": "channels alone, as in Glow",
                    "half": "upper and lower half",
                    "cycle": "each quarter by the one before",
                },
                help="Which pixels a coupling reads and which it changes. Or type a digit for each pixel, row by row: "
                "1 is changed first, then the others.",
            ),
            Choice(
                "network",
                "Network",
                {
                    "convolutional": "convolutional: 5 x 5 pixels",
                    "local": "local: 3 x 3 pixels",
                    "dense": "dense: all pixels",
                },
                help="What the networks of the couplings see around a pixel.",
            ),
            Flag("equal_size", "Equal size", help="Local and dense networks get as many weights as others."),
            Int("bottleneck", "Bottleneck", 0, 64, help="Channels of the narrowest layer of each network; 0: none."),
            CONVENTION,
            Flag("activation_norm", "Activation normalisation", help="Before each coupling; a part of Glow."),
            Flag("mix_channels", "1 x 1 convolutions", help="Before each coupling of channels; a part of Glow."),
            Choice(
                "squash",
                "Before the first layer",
                {"none": "as they are", "logit": "logit of the pixels", "probit": "normal quantile of the pixels"},
                help="The logit keeps samples within black and white.",
            ),
            DEQUANTIZE,
            Choice(
                "background",
                "Trained against",
                {"none": "nothing", "broad": "a broad set: waves, slopes, shapes, noise"},
                help="Pictures that are to be unlikely; the loss has a term for them.",
            ),
            Choice(
                "background_loss",
                "Loss of the background",
                {"outlier": "outlier: a cross-entropy of the two densities", "margin": "margin: a distance at least"},
                help="-log sigmoid(-log p / T), or max(0, margin + log p(background) - log p).",
            ),
            Float("background_weight", "Its weight", 0.0, 20.0, 0.5, help="Of the term in the loss."),
            Float("background_temperature", "Temperature T (nats)", 0.5, 200.0, 0.5, help="Of the outlier loss."),
            Float("background_margin", "Margin (nats)", 0.0, 500.0, 10.0, help="Of the margin loss."),
            *TRAINING,
        ),
        "Couplings of pixels and of channels, in scales: RealNVP for pictures, or Glow.",
        IMAGES,
    ),
    Entry(
        "pixelcnn",
        "PixelCNN",
        pixelcnn_model.PixelCNN,
        (
            Int("n_layers", "Layers", 0, 8, help="Masked convolutions after the first.", main=True),
            STEPS,
            CHANNELS,
            Int("n_components", "Components", 1, 16, help="Logistic distributions in the mixture of each pixel."),
            *TRAINING,
        ),
        "Each pixel given those before it, row by row: exact probabilities, and one pass of the network for each pixel "
        "of a sample.",
        IMAGES,
    ),
    Entry(
        "two_level_vae",
        "Two-level VAE",
        two_level_vae.TwoLevelVAE,
        (
            Int("n_fine", "Fine code", 2, 64, help="Numbers that describe a picture.", main=True),
            Int("n_coarse", "Coarse code", 1, 32, help="Numbers that describe its fine code.", main=True),
            STEPS,
            Int("hidden_features", "Network width", 8, 256, 8, help="Units in the hidden layer of each network."),
            DEQUANTIZE,
            *TRAINING,
        ),
        "A variational autoencoder whose code has a code: what each level costs in nats tells detail from content.",
        IMAGES,
    ),
)
