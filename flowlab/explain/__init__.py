"""Attribution of a row's anomaly score to its columns, and the smallest edits that make the row ordinary."""

from flowlab.explain.attribution import Explanation, Reason, anomaly_scores, explain, not_flagged
from flowlab.explain.counterfactual import Edit, Repair, repair
from flowlab.explain.kinds import Kind, TraitCounts, kind_of_rows, kinds_of
from flowlab.explain.many_rows import RowReasons, reasons_of_rows
from flowlab.explain.reference import Reference

__all__ = [
    "Edit",
    "Explanation",
    "Kind",
    "Reason",
    "Reference",
    "Repair",
    "RowReasons",
    "TraitCounts",
    "anomaly_scores",
    "explain",
    "not_flagged",
    "kind_of_rows",
    "kinds_of",
    "reasons_of_rows",
    "repair",
]
