"""Learn: short lessons whose links open the app in the state they speak of."""

from flowlab.dashboard.learn import page
from flowlab.dashboard.shell import frame

frame.begin("learn")
page.page()
