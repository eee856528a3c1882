"""Text of users in figures stays text: no link, no picture, no markup of another kind than FlowLab's own."""

import numpy as np
import pytest

from flowlab.plots import theme

LINK = "<a href='http://evil.example/'>z</a>"


def texts(value) -> list[str]:
    """Every text in the parts of a figure."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list | tuple | np.ndarray) and getattr(value, "dtype", np.dtype(object)).kind == "O":
        return [text for part in value for text in texts(part)]
    return []


def hostile(name: str):
    """A figure that shows a name wherever figures show names."""
    fig = theme.figure(x_title=name, y_title=f"<b>{name}</b>")
    theme.write_at(fig, 0, 0, name, "#000000")
    fig.add_scatter(x=[name, "b"], y=[1, 2], name=name, text=np.array([name, "c"], object), customdata=[[name]])
    fig.update_traces(hovertemplate=f"{name} %{{y}}<br>x<extra>{name}</extra>")
    fig.update_xaxes(ticktext=[name], tickvals=[0])
    return fig


@pytest.mark.parametrize("name", [LINK, "<A HREF=x>", "< a href=x>", "<img src=x>", "<span onclick=x>", "a<b c"])
def test_tags_of_users_are_shown_as_they_are_written(name):
    clean = theme.without_foreign_tags(hostile(name))
    found = [text for text in texts(clean.to_plotly_json()) if "evil" in text or "href" in text or "src" in text]
    assert not [text for text in found if "<a" in text.lower() or "< a" in text.lower() or "<img" in text]
    title = clean.layout.yaxis.title.text
    assert title.startswith("<b>&lt;") or name == "a<b c"
    assert title.endswith("</b>")


def test_figures_without_foreign_tags_are_left_alone():
    fig = hostile("height<br>in <b>cm</b> <span style='color:#5B6678'>3 levels</span>")
    assert theme.without_foreign_tags(fig) is fig
