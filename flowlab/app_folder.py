"""Where the dashboard's files lie: at the top of the repository, or in `flowlab/_app` of an installed wheel."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).resolve().parent / "_app"

FOLDER = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parents[1]
"""Holds app.py, pages/, assets/ and .streamlit/; the build places them in the wheel (pyproject.toml)."""

APP, PAGES, ASSETS = FOLDER / "app.py", FOLDER / "pages", FOLDER / "assets"
