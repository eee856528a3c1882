"""Detect: a threshold anyone can defend, reasons for every flagged row, and a table to leave with."""

from pages.ui import detect, frame, headline

frame.begin("detect")
headline.draw("detect")
detect.page()
