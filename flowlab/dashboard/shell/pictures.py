"""Sheets of pictures on a page, and pictures in a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from flowlab.dashboard.shell import state
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.datasets.dataset import Dataset
from flowlab.plots import pictures as plots
from flowlab.views.pictures import PictureSheet

ROW_HEIGHT = 48
"""Height of the rows of a table that shows pictures, in pixels."""
COLUMN = "picture"
PAGE_WIDTH, HALF_WIDTH = 960, 470
"""Width of a sheet across the page or in one of two columns, in pixels."""


def draw_sheet(
    sheet: PictureSheet,
    key: str,
    alt: str,
    size: int = 56,
    width: int = PAGE_WIDTH,
    across: int = 0,
    where: Any = st,
    on_select: Callable[[], None] | None = None,
) -> None:
    """A sheet as a figure, see `plots.picture_sheet`.

    `on_select` is called when a picture is clicked, whose row is the `customdata` of the point.
    """
    fig = plots.picture_sheet(sheet, state.is_dark(), size, width, across)
    selecting: dict[str, Any] = {}
    if on_select is not None:
        selecting = {"on_select": on_select, "selection_mode": "points"}
    chart(where, fig, key=key, config=PLOT, theme=None, alt=alt, **selecting)


def thumbnails(dataset: Dataset, rows: np.ndarray) -> list[str]:
    """The pictures of rows by number, as addresses for the column of a table."""
    return [plots.thumbnail(picture) for picture in dataset.pictures(dataset.X[rows])]


def picture_column() -> Any:
    """How a table shows the column of `thumbnails`."""
    return st.column_config.ImageColumn(COLUMN, width="small")
