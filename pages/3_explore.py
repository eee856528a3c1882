"""Explore: a trained model opens up: density beside the truth, samples, latent space, layers, single rows."""

from pages.ui import explore, frame, headline

frame.begin("explore")
headline.draw("explore")
explore.page()
