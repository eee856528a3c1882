"""Rows as people know them: in the user's own columns where the data are an uploaded table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog
from flowlab.datasets.dataset import Dataset
from flowlab.datasets.encoding import TableEncoder
from flowlab.records import RunSpec
from pages.ui import engine, state


def user_table(X: np.ndarray, dataset: Dataset) -> pd.DataFrame:
    """Rows (n, n_features) of the present data: columns, types and categories of an upload, else features by name.

    The level of a context that is not modelled shows by its name.
    """
    spec = state.spec()
    if catalog.DATASETS[spec.data.name].group == catalog.UPLOADED:
        return _encoder(spec.data.to_json(), spec.seed, spec).inverse_transform(X)
    table = pd.DataFrame(X, columns=[str(column) for column in dataset.columns])
    if dataset.context is not None:
        codes = np.rint(X[:, dataset.context]).astype(int).clip(0, len(dataset.levels) - 1)
        table.isetitem(dataset.context, np.array(dataset.levels)[codes])
    return table


@st.cache_resource(show_spinner=False, max_entries=4)
def _encoder(data_json: str, seed: int, _spec: RunSpec) -> TableEncoder:
    return catalog.make_table(_spec.data, _spec.seed, engine.store().get_table)[1]
