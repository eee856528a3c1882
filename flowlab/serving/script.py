"""A Python program that carries out a run with the library alone."""

from __future__ import annotations

from flowlab.detection.rules import RULES
from flowlab.detection.threshold import Threshold
from flowlab.records import RunSpec, Spec


def python_script(spec: RunSpec, threshold: Threshold, table: str = "", unit: str = "rows") -> str:
    """A Python program that carries out the run with the library alone, to the same weights, scores and flags.

    Parameters
    ----------
    spec : the run
    threshold : its rule is applied again; a manual or refused one is set to its value
    table : file name of an uploaded table, which the program reads from the folder where it is started; "" without one
    unit : of a cost model's tolerance
    """
    load = f", load_table=lambda digest: read_table({table!r}).frame" if table else ""
    if threshold.rule in RULES and not threshold.refused:
        arguments = "".join(f", {name}={value!r}" for name, value in threshold.parameters.items())
        arguments += f", unit={unit!r}" if threshold.rule == "cost" and unit != "rows" else ""
        choice = f"scored.choose({threshold.rule!r}{arguments})"
    else:
        choice = f"manual({threshold.value!r})"
    groups, frame = threshold.groups, ""
    if groups is not None:
        choice = f"scored.by_group({choice}, {groups.column!r})"
        frame = f", read_table({table!r}).frame" if table else ""
    lines = [
        f'"""Reproduces a FlowLab run ({spec.data.name}, {spec.model.name}) and its threshold."""',
        "",
        "from flowlab import catalog",
        *(["from flowlab.tables.read import read_table"] if table else []),
        "from flowlab.detection.scored_table import ScoredTable",
        *(["from flowlab.detection.rules import manual"] if choice.startswith("manual") else []),
        "from flowlab.records import RunSpec, Spec",
        "",
        f"spec = RunSpec({_call(spec.data)}, {_call(spec.model)}, seed={spec.seed})",
        f"dataset = catalog.dataset_of(spec{load})",
        "model = catalog.make_model(spec.model, spec.seed, dataset)",
        'validation = dataset.fitting_rows("monitor")',
        "for event in model.fit_iter(dataset.fitting_rows(), validation if len(validation) else None):",
        "    pass",
        f"scored = ScoredTable.of(dataset, model.anomaly_score(dataset.X){frame})",
        f"threshold = {choice}",
        "flagged = scored.flags(threshold)",
        'print(threshold.sentence, f"{flagged.sum():,} of {len(flagged):,} rows are flagged.")',
        "",
    ]
    return "\n".join(lines)


def _call(spec: Spec) -> str:
    return f"Spec({spec.name!r}, {dict(spec.params)!r})" if spec.params else f"Spec({spec.name!r})"
