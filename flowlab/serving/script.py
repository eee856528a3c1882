"""A Python program that carries out a run with the library alone."""

from __future__ import annotations

from collections.abc import Mapping

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


def comparison_script(specs: Mapping[str, RunSpec], table: str = "") -> str:
    """A Python program that trains the runs of a comparison and prints their leaderboard.

    `table` is as in `python_script`. A fork, which goes on from another run's weights, is left out.
    """
    load = f", load_table=lambda digest: read_table({table!r}).frame" if table else ""
    whole = {name: spec for name, spec in specs.items() if not spec.branch}
    lines = [
        '"""Trains the models of a FlowLab comparison and prints their leaderboard."""',
        "",
        "import time",
        "",
        "from flowlab import catalog",
        "from flowlab.evaluation.comparison import leaderboard, score_held_out, verdict",
        "from flowlab.records import RunSpec, Spec",
        *(["from flowlab.tables.read import read_table"] if table else []),
        "",
        "specs = {",
        *(f"    {name!r}: RunSpec({_call(s.data)}, {_call(s.model)}, seed={s.seed})," for name, s in whole.items()),
        "}",
        "models = {}",
        "for name, spec in specs.items():",
        f"    dataset = catalog.dataset_of(spec{load})",
        "    model = catalog.make_model(spec.model, spec.seed, dataset)",
        '    validation = dataset.fitting_rows("monitor")',
        "    began = time.perf_counter()",
        "    for event in model.fit_iter(dataset.fitting_rows(), validation if len(validation) else None):",
        "        pass",
        "    trained = time.perf_counter()",
        "    scores = model.anomaly_score(dataset.X)",
        "    models[name] = score_held_out(",
        "        name, dataset, scores, model, data=dataset.digest(), fit_seconds=trained - began,",
        "        score_seconds=time.perf_counter() - trained, n_parameters=int(model.n_parameters()),",
        "    )",
        "board = leaderboard({name: [scored] for name, scored in models.items()})",
        "for line in board:",
        "    print(",
        '        f"{line.name}: AUROC {line.auroc.mean:.3f}, average precision {line.average_precision.mean:.3f}, "',
        '        f"log-likelihood {line.log_likelihood.mean:.3f} nats, trained in {line.fit_seconds.mean:.1f} s"',
        "    )",
        "print(verdict(board))",
        "",
    ]
    return "\n".join(lines)


def _call(spec: Spec) -> str:
    return f"Spec({spec.name!r}, {dict(spec.params)!r})" if spec.params else f"Spec({spec.name!r})"
