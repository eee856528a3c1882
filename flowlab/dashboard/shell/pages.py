"""The table of pages: the one place that knows their files, titles and order."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[3] / "pages"


class Page(NamedTuple):
    """A page: its key, which is also its address, its file in `pages/` and its title in the navigation."""

    key: str
    file: str
    title: str


PAGES = (
    Page("data", "1_data.py", "Data"),
    Page("train", "2_train.py", "Train"),
    Page("explore", "3_explore.py", "Explore"),
    Page("compare", "4_compare.py", "Compare"),
    Page("detect", "5_detect.py", "Detect"),
    Page("score", "6_score.py", "Score"),
    Page("learn", "7_learn.py", "Learn"),
)
"""All pages in the order of the navigation."""


def path(key: str) -> Path:
    """The file of a page, as `st.switch_page` and `st.page_link` take it.

    >>> path("train").name
    '2_train.py'
    """
    files = {page.key: page.file for page in PAGES}
    return FOLDER / files[key]
