"""Data: a toy density, a bundled, simulated, painted or uploaded table; what was read, what each column is for."""

from pages.ui import data, data_sources, frame, headline

frame.begin(data_sources.PAGE)
headline.draw("data")
data.page()
