"""Compare: flow, autoencoder, VAE, classical and one-line rivals on the same rows, as detectors and as densities."""

from pages.ui import compare, frame

frame.begin("compare")
compare.page()
