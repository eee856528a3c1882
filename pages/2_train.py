"""Train: choose a model, train it, and watch its density form beside the data while the loss falls to its floor."""

from pages.ui import frame, headline, training

frame.begin("train")
headline.draw("train")
training.stage()
