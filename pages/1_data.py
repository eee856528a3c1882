"""Data: a toy density, a bundled, simulated, painted or uploaded table; what was read, what each column is for."""

from flowlab.dashboard.data import page, sources
from flowlab.dashboard.shell import frame, headline

frame.begin(sources.PAGE)
headline.draw("data")
page.page()
