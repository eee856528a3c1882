"""make_uploaded: the Dataset of pictures a person has uploaded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flowlab.constraints import TEXT, OneOf, checked
from flowlab.datasets.dataset import Dataset, random_split
from flowlab.datasets.from_table import label_rows
from flowlab.images.pixels import shape_of_columns
from flowlab.images.reading import FILE, LABEL
from flowlab.tables.limits import TableError


@checked(digest=TEXT, name=TEXT, anomaly_values=TEXT, train_on=OneOf("normal", "all"))
def make_uploaded(
    frame: pd.DataFrame,
    *,
    digest: str = "",
    name: str = "",
    anomaly_values: str = "",
    train_on: str = "normal",
    seed: int = 0,
) -> Dataset:
    """The Dataset of a table of pictures, as `reading.PictureFile.frame` makes it.

    Parameters
    ----------
    frame : the pixels in columns r0c0, r0c1 and so on, in [0, 1]; beside them `file` and, where there are classes,
        `label`
    digest : names the table in the store
    name : of the Dataset
    anomaly_values : the classes that mean anomaly, separated by commas; "" for no labels
    train_on : "normal" leaves anomalies out of the fit; "all" does not
    seed : of the division of the rows, which is stratified

    Raises TableError, one sentence, where the table holds no pictures or no row of these classes.
    """
    pixels = [column for column in frame.columns if column not in (FILE, LABEL)]
    shape = shape_of_columns(pixels)
    if shape is None:
        raise TableError("This table holds no pictures; choose it as a table, or upload the pictures again.")
    y = label_rows(frame[LABEL], anomaly_values) if anomaly_values and LABEL in frame else None
    codes, names = pd.factorize(frame[LABEL], sort=True) if LABEL in frame else (np.zeros(len(frame), int), ["picture"])
    return Dataset(
        frame[pixels].to_numpy(np.float64),
        tuple(map(str, pixels)),
        y=y,
        name=name,
        split=random_split(len(frame), seed=seed, y=codes if y is None else y),
        train_on="all" if y is None else train_on,
        classes=np.asarray(codes, np.int64),
        class_names=tuple(map(str, names)),
        label_column="" if y is None else LABEL,
        image_shape=shape,
    )
