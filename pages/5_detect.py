"""Detect: a threshold anyone can defend, reasons for every flagged row, and a table to leave with."""

from flowlab.dashboard.detect import page
from flowlab.dashboard.shell import frame, headline

frame.begin("detect")
headline.draw("detect")
page.page()
