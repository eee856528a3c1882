"""Attribution of a row's anomaly score to its columns, and the smallest edits that make the row ordinary."""

from flowlab.explain.attribution import Explanation, Reason, anomaly_scores, explain, not_flagged, top_sentences
from flowlab.explain.counterfactual import Edit, Repair, repair
from flowlab.explain.reference import Reference

__all__ = [
    "Edit",
    "Explanation",
    "Reason",
    "Reference",
    "Repair",
    "anomaly_scores",
    "explain",
    "not_flagged",
    "repair",
    "top_sentences",
]
