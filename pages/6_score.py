"""Score: a saved detector on a new file of any length."""

from flowlab.dashboard.score import page
from flowlab.dashboard.shell import frame

frame.begin("score")
page.page()
