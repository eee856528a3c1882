"""What the browser sent before it saw the present widgets changes nothing: else it would set everything back."""

import pytest
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.usefixtures("own_server")


def _widgets_made_anew():
    import streamlit as st

    from flowlab.catalog import DEFAULT
    from flowlab.dashboard.shell import state

    state.start()
    heard = []
    key = state.widget_key("noise")
    st.session_state[key] = 0.2
    changed = state.on_widget(key, heard.append)
    changed()
    state.show(DEFAULT)
    changed()
    st.write(f"heard {heard}")


def test_a_widget_that_was_made_anew_says_nothing_any_more():
    assert AppTest.from_function(_widgets_made_anew).run().markdown[0].value == "heard [0.2]"


def _setting_of_a_model_that_is_not_chosen():
    from unittest.mock import patch

    import streamlit as st

    from flowlab.catalog import MODELS
    from flowlab.dashboard.shell import state, widgets

    state.start()
    for name in ("affine", "spline"):
        with patch.object(widgets, "edit") as edit:
            layers = next(control for control in MODELS[name].controls if control.name == "n_layers")
            widgets.control_widget("model", MODELS[name], layers, 8)
        _, _, key, changed = edit.call_args.args
        st.session_state[key] = 5
        changed()
        st.write(f"{state.spec().model.params}")


def test_a_setting_of_a_model_that_is_not_chosen_is_not_set_on_the_one_that_is():
    at = AppTest.from_function(_setting_of_a_model_that_is_not_chosen).run()
    assert [part.value for part in at.markdown] == ["{}", "{'n_layers': 5}"]
