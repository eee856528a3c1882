"""Compare: flow, autoencoder, VAE, classical and one-line rivals on the same rows, as detectors and as densities."""

from flowlab.dashboard.compare import page
from flowlab.dashboard.shell import frame

frame.begin("compare")
page.page()
