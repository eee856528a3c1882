# ruff: noqa: E501
"""What the report says; see `test_register`."""

from __future__ import annotations

SPEAKERS = ("flowlab/serving/report.py",)

NO_STATEMENTS: tuple[str, ...] = (
    # markup, and the style sheet
    '\nbody { font: 15px/1.5 "Source Sans 3", "Helvetica Neue", Arial, sans-serif; color: #1B2333; max-width: 60rem;\n  margin: 2rem auto; padding: 0 1rem; }\nh1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }\ntable { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }\nth, td { padding: 2px 10px; border-bottom: 1px solid #E3E7EE; text-align: right; }\nth:first-child, td:first-child { text-align: left; } figcaption { color: #5B6678; }\npre { background: #F4F6F9; padding: 0.75rem; white-space: pre-wrap; }\n',
    "%Y-%m-%d %H:%M UTC",
    "<h1>{}</h1><p>FlowLab detection report, {}.</p>",
    "<h2>What it does</h2>{}",
    "<h2>The {} highest scoring rows</h2>",
    "<h2>Settings</h2><pre>{}</pre>",
    "<p>Address of this state: <code>{}</code></p>",
    '<meta charset="utf-8"><title>{}</title><style>{}</style>',
    '<!DOCTYPE html>\n<html lang="en"><head>{}</head><body>{}</body></html>',
)
"""Names of things and invitations to act, which cannot be false."""

ENTRIES = ()
