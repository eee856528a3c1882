"""Train: choose a model, train it, and watch its density form beside the data while the loss falls to its floor."""

from flowlab.dashboard.shell import frame, headline
from flowlab.dashboard.train import page

frame.begin("train")
headline.draw("train")
page.page()
