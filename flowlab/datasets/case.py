"""Which case a detector is in: rows known to be normal, or rows with strange ones among them; and why."""

from __future__ import annotations

from flowlab.datasets.dataset import Dataset
from flowlab.formatting import plural


def case_of(dataset: Dataset) -> str:
    """One sentence on what the training rows are taken for, and what says so."""
    if dataset.y is None:
        if dataset.train_on == "normal":
            return "Trained as on rows known to be normal: there are no labels, but somebody said so."
        return (
            "Trained as on rows with strange ones among them: there are no labels, and nobody said that all are normal."
        )
    n_anomalies = int(dataset.y[dataset.split == 0].sum())
    if dataset.train_on == "normal":
        without = f", without the {plural(n_anomalies, 'labelled anomaly', 'labelled anomalies')} among them"
        return f"Trained as on rows known to be normal: the rows labelled so{without if n_anomalies else ''}."
    return (
        f"Trained as on rows with strange ones among them: all rows were asked for, "
        f"{plural(n_anomalies, 'labelled anomaly', 'labelled anomalies')} too."
    )


def other_case(dataset: Dataset) -> tuple[str, str]:
    """The value of `train_on` that makes the other case of it, and that case in words."""
    if dataset.train_on == "normal":
        return "all", "as on rows with strange ones among them"
    return "known" if dataset.y is None else "normal", "as on rows known to be normal"
