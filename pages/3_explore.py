"""Explore: a trained model opens up: density beside the truth, samples, latent space, layers, single rows."""

from flowlab.dashboard.explore import page
from flowlab.dashboard.shell import frame, headline

frame.begin("explore")
headline.draw("explore")
page.page()
