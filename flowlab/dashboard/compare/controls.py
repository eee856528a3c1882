"""The Compare page's own widgets, each mirrored in the link."""

from __future__ import annotations

import numpy as np

from flowlab.controls import Float
from flowlab.dashboard.compare.comparison import PAGE, Compared
from flowlab.dashboard.shell import links, state, widgets

ALARMS = Float(
    "alarms", "Alarms (%)", 0.1, 50.0, 0.5, help="Each of the two detectors alarms on this share of the rows"
)


def pair(compared: Compared) -> tuple[str, str]:
    """Whose reconstruction meets whose likelihood: as the link says, or the first of each."""
    coders, densities = compared.reconstructors(), compared.densities()
    preferred = [name for name in densities if name not in coders] or densities
    return present(coders, "coder", coders[0]), present(densities, "density", preferred[0])


def present(options: list[str], name: str, default: str) -> str:
    """What the link says, if it is an option."""
    said = str(state.view(PAGE, name, default))
    return said if said in options else default


def alarm_percent(y: np.ndarray | None) -> float:
    """The share of rows each detector alarms on, in percent: by default that of the anomalies, or 5."""
    default = 100 * float(np.clip(np.mean(y == 1), 0.005, 0.5)) if y is not None and (y == 1).any() else 5.0
    return ALARMS.read_or(state.asked(PAGE, "alarms"), round(default, 1))


def alarm_share(y: np.ndarray | None) -> float:
    """The widget for `alarm_percent`, as a share."""
    percent = alarm_percent(y)
    links.note_absent(PAGE, "alarms", "share of alarms", percent)
    key = state.widget_key(PAGE, "alarms")
    changed = state.on_widget(key, lambda v: state.set_view(PAGE, alarms=v))
    widgets.number_box(ALARMS, percent, key, changed, width=120)
    return percent / 100
