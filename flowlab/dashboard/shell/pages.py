"""The table of pages: the one place that knows their keys, titles, files and order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flowlab import app_folder


@dataclass(frozen=True)
class Page:
    """A page: its key, which is also its address, its title in the navigation and its file in `pages/`.

    `settings` is what its view settings begin with in a link, where that is not the key.
    """

    key: str
    title: str
    file: str
    settings: str = ""


PAGES = (
    Page("data", "Data", "1_data.py", settings="table"),
    Page("train", "Train", "2_train.py"),
    Page("explore", "Explore", "3_explore.py"),
    Page("compare", "Compare", "4_compare.py"),
    Page("detect", "Detect", "5_detect.py"),
    Page("score", "Score", "6_score.py"),
    Page("learn", "Learn", "7_learn.py"),
)
"""All pages in the order of the navigation."""


def path(key: str) -> Path:
    """The file of a page, as `st.Page`, `st.switch_page` and `st.page_link` take it.

    >>> path("train").name
    '2_train.py'
    """
    return app_folder.PAGES / _page(key).file


def settings(key: str) -> str:
    """What the view settings of a page begin with in a link."""
    return _page(key).settings or key


def _page(key: str) -> Page:
    return next(page for page in PAGES if page.key == key)
