"""The look travels as one small template."""

import pytest

from flowlab.plots import theme


@pytest.mark.parametrize("dark", [False, True])
def test_an_empty_figure_sends_its_look_and_little_else(dark):
    fig = theme.figure(dark, x_title="x", y_title="y", square=True)
    assert len(fig.to_json()) < 1700
    look = fig.layout.template.layout
    assert look.font.color == theme.colors(dark).text and look.xaxis.gridcolor == theme.colors(dark).grid
    assert fig.layout.xaxis.title.text == "x" and fig.layout.yaxis.scaleanchor == "x"
