"""Column roles: what each column of a table is for, proposed with a reason, and written compactly into a link."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from flowlab.formatting import count, percent
from flowlab.tables.stack import SOURCE

ROLES = ("feature", "category", "context", "label", "time", "identifier", "ignore")
ENCODED = ("feature", "category", "context")
"""Roles whose columns become numbers a model sees; a context conditions the others and is not judged itself."""

_LABEL_NAME = re.compile(
    r"(is_?)?(label|class|target|anomal(y|ous)|outlier|fraud|attack|fault|malicious|intrusion|y)", re.I
)
_TIME_NAME = re.compile(
    r"(time|date|timestamp|datetime|ts|epoch|unix_?time|year)([_ ].*)?|.*(timestamp|datetime)|.*_(at|time|date)", re.I
)
_IDENTIFIER_NAME = re.compile(r"(.*[_ ])?(id|uuid|guid|key|index|row|rownum|no|nr)|unnamed.*|.+Id|.+ID")
SAMPLE_ROWS = 20_000
MISSING_POLICIES = ("auto", "median", "indicator")
"""What fills holes: "median" values near it, "indicator" also a 0/1 feature for where, "auto" that from 1 % on."""


@dataclass(frozen=True)
class ColumnRole:
    """What one column is used for.

    Attributes
    ----------
    name : of the column
    role : one of `ROLES`
    reason : why it was proposed
    missing : one of `MISSING_POLICIES`
    """

    name: str
    role: str
    reason: str = ""
    missing: str = "auto"


def sample_rows(frame: pd.DataFrame, n_rows: int = SAMPLE_ROWS) -> pd.DataFrame:
    """At most `n_rows` rows, evenly spaced over the table and the same at each call."""
    if len(frame) <= n_rows:
        return frame
    return frame.iloc[np.linspace(0, len(frame) - 1, n_rows).astype(int)]


def propose_roles(frame: pd.DataFrame) -> tuple[ColumnRole, ...]:
    """A role and a reason for each column; at most one label and one time column.

    >>> frame = pd.DataFrame({"x": [0.5, 1.5, 2.5], "city": ["Bonn", "Bonn", "Rome"], "c": [7, 7, 7]})
    >>> [(role.role, role.reason) for role in propose_roles(frame)]
    [('feature', 'numbers'), ('category', '2 different texts'), ('ignore', 'constant')]
    """
    sample = sample_rows(frame)
    roles = [_judge(frame[name], sample[name]) for name in frame]
    label = _choose_label(sample, roles)
    times = [i for i, role in enumerate(roles) if role.role == "time"]
    dated = [i for i in times if pd.api.types.is_datetime64_any_dtype(frame.iloc[:, i].dtype)]
    time = next(iter(dated or times), None)
    for i in times:
        if i != time:
            kind = "dates, as days" if i in dated else "numbers"
            roles[i] = replace(roles[i], role="feature", reason=kind)
    if label is not None:
        roles[label[0]] = ColumnRole(roles[label[0]].name, "label", label[1])
    return tuple(roles)


def _judge(column: pd.Series, sample: pd.Series) -> ColumnRole:
    name = str(column.name)
    present = sample.dropna()
    if present.empty and column.isna().all():
        return ColumnRole(name, "ignore", "no values")
    n_distinct = present.nunique()
    if n_distinct <= 1 and column.nunique() <= 1 and not column.isna().any():
        return ColumnRole(name, "ignore", "constant")
    if name == SOURCE:
        return ColumnRole(name, "identifier", "names the file a row came from")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return ColumnRole(name, "time", "dates")
    if pd.api.types.is_bool_dtype(column.dtype):
        return ColumnRole(name, "category", "true or false")
    all_differ = n_distinct == len(present) and len(present) >= 20
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return _judge_text(name, present, n_distinct, all_differ)
    if _TIME_NAME.fullmatch(name) and n_distinct > 0.5 * len(present) and present.is_monotonic_increasing:
        return ColumnRole(name, "time", "rises from row to row and is named like a time")
    if all_differ and pd.api.types.is_integer_dtype(column.dtype):
        steps = np.diff(column.to_numpy()[:SAMPLE_ROWS].astype(float))
        if (steps == 1).all():
            return ColumnRole(name, "identifier", "counts the rows")
        if _IDENTIFIER_NAME.fullmatch(name) or present.abs().max() > 1e15:
            return ColumnRole(name, "identifier", "all values differ: looks like an identifier")
    return ColumnRole(name, "feature", "numbers")


def _judge_text(name: str, present: pd.Series, n_distinct: int, all_differ: bool) -> ColumnRole:
    if all_differ:
        return ColumnRole(name, "identifier", "all values differ: looks like an identifier")
    if n_distinct > 0.5 * len(present) and len(present) >= 50:
        return ColumnRole(name, "identifier", "most values differ: free text or an identifier")
    return ColumnRole(name, "category", f"{count(n_distinct)} different texts")


def _choose_label(sample: pd.DataFrame, roles: Sequence[ColumnRole]) -> tuple[int, str] | None:
    rare = []
    for i, role in enumerate(roles):
        if role.role not in ("feature", "category"):
            continue
        column = sample.iloc[:, i].dropna()
        n_distinct = column.nunique()
        if _LABEL_NAME.fullmatch(role.name) and 2 <= n_distinct <= 20:
            return i, "named like a label"
        if n_distinct == 2 and set(map(str, column.unique())) <= {"0", "1", "0.0", "1.0", "False", "True"}:
            share = column.astype("str").isin(["1", "1.0", "True"]).mean()
            if share <= 0.15:
                rare.append((i, f"0/1 and rare ({percent(share)}): looks like a label"))
    last = [candidate for candidate in rare if candidate[0] == len(roles) - 1]
    if last or len(rare) == 1:
        return (last or rare)[0]
    return None


def roles_to_text(roles: Sequence[ColumnRole], proposed: Sequence[ColumnRole]) -> str:
    """The roles that differ from the proposal, by column number: "ignore=3-5,9;category=2"; "" when none does."""
    pairs = enumerate(zip(roles, proposed, strict=True))
    return numbers_to_text({i: role.role for i, (role, proposal) in pairs if role.role != proposal.role})


def roles_from_text(text: str, proposed: Sequence[ColumnRole]) -> tuple[tuple[ColumnRole, ...], list[str]]:
    """The proposal with the changes of `text`, and one sentence for each part that makes no sense for this table."""
    role_by_column, problems = numbers_from_text(text, ROLES, len(proposed), "column roles")
    roles = list(proposed)
    for i, role in role_by_column.items():
        roles[i] = replace(roles[i], role=role, reason=roles[i].reason if role == roles[i].role else "chosen")
    return tuple(roles), problems


def missing_to_text(roles: Sequence[ColumnRole]) -> str:
    """The policies for missing values other than "auto", by column number: "indicator=2"; "" when there are none."""
    return numbers_to_text({i: role.missing for i, role in enumerate(roles) if role.missing != "auto"})


def missing_from_text(text: str, roles: Sequence[ColumnRole]) -> tuple[tuple[ColumnRole, ...], list[str]]:
    """The roles with the choices of `text`: a policy for all columns ("median"), or for some ("indicator=2,5-7")."""
    if text in MISSING_POLICIES:
        return tuple(replace(role, missing=text) for role in roles), []
    policy_by_column, problems = numbers_from_text(text, MISSING_POLICIES, len(roles), "choices for missing values")
    return tuple(replace(role, missing=policy_by_column.get(i, role.missing)) for i, role in enumerate(roles)), problems


_RANGES = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")


def numbers_to_text(choices: Mapping[int, str]) -> str:
    """Column number (from 0) to choice, as text that counts from 1.

    >>> numbers_to_text({1: "category", 2: "ignore", 3: "ignore", 8: "ignore"})
    'category=2;ignore=3-4,9'
    """
    columns: dict[str, list[int]] = {}
    for column in sorted(choices):
        columns.setdefault(choices[column], []).append(column + 1)
    return ";".join(f"{choice}={_ranges(numbers)}" for choice, numbers in sorted(columns.items()))


def numbers_from_text(text: str, allowed: Sequence[str], n_columns: int, what: str) -> tuple[dict[int, str], list[str]]:
    """The choices of such a text, and one sentence for each part that makes no sense; `what` names the choices.

    >>> numbers_from_text("ignore=2-3;eat=1", ["ignore"], 5, "column roles")
    ({1: 'ignore', 2: 'ignore'}, ["The column roles 'eat=1' make no sense and were ignored."])
    """
    choices: dict[int, str] = {}
    problems = []
    for part in filter(None, text.split(";")):
        choice, _, numbers = part.partition("=")
        if choice not in allowed or not _RANGES.fullmatch(numbers):
            problems.append(f"The {what} {part[:40]!r} make no sense and were ignored.")
            continue
        for span in numbers.split(","):
            first, _, last = span.partition("-")
            low, high = int(first), int(last or first)
            choices |= dict.fromkeys(range(max(low, 1) - 1, min(high, n_columns)), choice)
            if high > n_columns or low < 1:
                problems.append(f"Column {span[:20]} is not in this table of {n_columns} columns.")
    return choices, problems


def _ranges(numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
