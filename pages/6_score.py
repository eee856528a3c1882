"""Score: a saved detector on a new file of any length."""

from pages.ui import frame, headline, score

frame.begin("score")
headline.draw("score")
score.page()
