"""Reasons for a row's anomaly score, and the smallest edits that make the row ordinary."""

from flowlab.explain.reasons import Explanation, Reason, anomaly_scores, explain
from flowlab.explain.reference import Reference
from flowlab.explain.repair import Edit, Repair, repair

__all__ = ["Edit", "Explanation", "Reason", "Reference", "Repair", "anomaly_scores", "explain", "repair"]
