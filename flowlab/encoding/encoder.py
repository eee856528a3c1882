"""TableEncoder: encodes a table as a finite matrix, and decodes rows of the matrix to the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from flowlab.encoding.categorical import CategoryColumn
from flowlab.encoding.duplicates import decode_copy, find_copies, n_deviating
from flowlab.encoding.numeric import COMMON, NumberColumn, is_known, numbers
from flowlab.encoding.plans import Plan, clock_features, column_as_learned, from_dict, one_or_none, to_dict
from flowlab.encoding.roles import ENCODED, MISSING_POLICIES, ColumnRole, propose_roles
from flowlab.encoding.spread import Cells, Extent
from flowlab.formatting import count, percent
from flowlab.tables.limits import TableError
from flowlab.tables.notes import Note
from flowlab.tables.schema import ColumnSchema, schema_of_frame
from flowlab.tables.threads import in_threads

MAX_FEATURES = 4_000
LEARNERS = ("density", "scorer")
VERSION = 2
"""What names the way tables become numbers: a run on a table encoded in another way is another run."""
CHUNK_ROWS = 32_768
"""Rows encoded at a time, so that they stay in the processor's cache."""


_LEARNED = ("notes_", "constants_", "copies_", "shared_holes_", "time_", "order_", "clock_", "schema_")


class TableEncoder(TransformerMixin, BaseEstimator):
    """Encode a DataFrame of numbers, categories, truth values and dates as a finite matrix, reversibly.

    Parameters
    ----------
    roles : sequence of ColumnRole, or None to propose them; features, categories and a context are encoded
    missing : "median" fills holes, "indicator" also adds a 0/1 feature, "auto" adds it where 1 % or more is missing;
        the role of a column takes precedence
    max_one_hot : categories with more levels than this become one feature, their rarity
    clock : whether the time column adds hour and weekday features (sine and cosine)
    lags : how many earlier rows stand beside each row (windows of a series); rows are taken in order of time
    learner : who learns from the matrix. For a "density", which would become ever denser on repeated values and
        spend itself on far ones, heavy tails are squashed and repeated values have cells (`cells`); a "scorer" gets
        numbers as they are

    Attributes
    ----------
    columns_ : one plan per encoded column (`numeric.NumberColumn`, `categorical.CategoryColumn`)
    notes_ : what was decided, one sentence each
    schema_ : how the needed columns are written (`tables.schema.ColumnSchema`, as dicts): new files are read by it
    sources_ : for each feature the column it comes from

    Outliers are left to the flow, which squashes beyond 8 standard deviations; a column is squashed here (arcsinh) only
    when its tails are so heavy, or a few values so far, that standardising would leave the bulk almost no width.

    >>> frame = pd.DataFrame({"x": [1, 2, 2, 4], "colour": ["red", "red", "blue", None]})
    >>> encoder = TableEncoder().fit(frame)
    >>> encoder.inverse_transform(encoder.transform(frame)).equals(frame.astype({"colour": "str"}))
    True
    """

    def __init__(
        self,
        roles: Sequence[ColumnRole] | None = None,
        *,
        missing: str = "auto",
        max_one_hot: int = 12,
        clock: bool = False,
        lags: int = 0,
        learner: str = "density",
    ) -> None:
        self.roles = roles
        self.missing = missing
        self.max_one_hot = max_one_hot
        self.clock = clock
        self.lags = lags
        self.learner = learner

    def fit(self, X: pd.DataFrame, y: object = None, *, rows: np.ndarray | None = None) -> TableEncoder:
        """Learn one plan per column; y is ignored. Raises TableError when no column can be learned from.

        Levels, ranges, grids and what fills holes are learned from `rows` (numbers of rows; None: all). The other rows
        only tell that a column is neither constant nor a copy of another, for a change in it is the alarm.
        """
        frame = _checked_frame(X)
        if self.learner not in LEARNERS:
            raise ValueError(f"learner must be one of {', '.join(LEARNERS)}, not {self.learner!r}")
        if self.missing not in MISSING_POLICIES:
            raise ValueError(f"missing must be one of {', '.join(MISSING_POLICIES)}, not {self.missing!r}")
        roles = propose_roles(frame) if self.roles is None else tuple(self.roles)
        self.notes_: list[str] = []
        self.columns_: list[Plan] = []
        self.constants_: dict[str, Any] = {}
        self.copies_: dict[str, dict[str, Any]] = {}
        self.shared_holes_: dict[str, str] = {}
        self.time_ = next((role.name for role in roles if role.role == "time"), "")
        self.order_ = [role.name for role in roles if role.role in ENCODED or role.reason == "constant"]
        used = [role for role in roles if role.role in ENCODED and self._is_worth_it(frame[role.name])]
        for role in roles:
            if role.role == "ignore" and role.reason == "constant":
                self._is_worth_it(frame[role.name])
        used = self._without_copies(frame, used)
        patterns: dict[bytes, str] = {}
        for role in used:
            column = frame[role.name]
            learned = column if rows is None or role.role == "context" else column.iloc[rows]
            # what varies only outside the rows to learn from is learned from all
            self.columns_.append(self._learn(column if _is_constant(learned) else learned, role, patterns))
        if not self.columns_:
            raise TableError(_nothing_left(roles))
        self.clock_ = bool(self.clock and self.time_ and str(frame[self.time_].dtype).startswith("datetime"))
        if len(self._row_names()) > MAX_FEATURES:
            raise TableError(
                f"The columns give {count(len(self._row_names()))} features, more than {count(MAX_FEATURES)}; "
                "set columns that do not matter to ignore."
            )
        self.n_features_in_ = len(used)
        self.schema_ = [c.to_dict() for c in schema_of_frame(frame) if c.name in self.needed_]
        pa.default_memory_pool().release_unused()  # memory in which the texts were counted
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Rows as numbers, shape (n_rows, n_features) float64, finite. Each row by itself, except for lags."""
        check_is_fitted(self, "columns_")
        frame = _checked_frame(X)
        names = self._row_names()
        matrix = np.empty((len(frame), len(names)))
        columns = [column_as_learned(frame, plan) for plan in self.columns_]

        def encode(start: int) -> None:
            rows, j = slice(start, start + CHUNK_ROWS), 0
            for plan, column in zip(self.columns_, columns):
                block = plan.encode(column.iloc[rows])
                matrix[rows, j : j + block.shape[1]] = block
                j += block.shape[1]

        in_threads(encode, range(0, len(frame), CHUNK_ROWS))
        if self.clock_:
            matrix[:, -4:] = clock_features(frame, self.time_)
        return (
            np.concatenate([matrix, *(matrix[rows] for rows in self._earlier(frame))], axis=1) if self.lags else matrix
        )

    def cells(self, X: pd.DataFrame, seed: int = 0) -> Cells | None:
        """The cells of `transform(X)`, for the training of a density; None where nothing needs spreading."""
        if self.learner != "density":
            return None
        frame = _checked_frame(X)
        extents: list[Extent] = []
        for plan in self.columns_:
            extents += plan.extents(column_as_learned(frame, plan))
        extents += [(0.0, 0.0)] * (4 if self.clock_ else 0)
        now = list(extents)
        for rows in self._earlier(frame):
            extents += [(_of_rows(low, rows), _of_rows(high, rows)) for low, high in now]
        return Cells.of(extents, seed)

    def _earlier(self, frame: pd.DataFrame) -> list[np.ndarray]:
        """For each lag the number of the row that stands so far before each row, (n_rows,) each.

        The first rows have no past: the earliest row stands in for it.
        """
        order = np.arange(len(frame))
        if self.lags and self.time_ in frame:
            order = np.argsort(numbers(frame[self.time_]), kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return [order[np.maximum(place - lag, 0)] for lag in range(1, self.lags + 1)]

    def inverse_transform(self, Z: np.ndarray, *, drawn: bool = True) -> pd.DataFrame:
        """The user's columns, types, ranges and categories again; identifiers, label and time are not among them.

        `drawn` rows come from a model and are put into the ranges and on the grids of the fit; others were encoded and
        keep their values.
        """
        check_is_fitted(self, "columns_")
        Z = np.asarray(Z, dtype=float)
        n_features = len(self.get_feature_names_out())
        if Z.ndim != 2 or Z.shape[1] != n_features:
            raise ValueError(f"Z must have shape (n_rows, {n_features}), not {Z.shape}")
        columns, j = {}, 0
        for plan in self.columns_:
            width = len(plan.names())
            columns[plan.name] = plan.decode(Z[:, j : j + width], drawn)
            j += width
        for name, other in self.shared_holes_.items():
            columns[name] = columns[name].where(columns[other].notna())
        for name, copy in self.copies_.items():
            if name not in columns:
                columns[name] = decode_copy(columns[copy["of"]], copy)
        for name, value in self.constants_.items():
            columns[name] = pd.Series([value["value"]] * len(Z)).astype(value["dtype"])
        return pd.DataFrame({name: columns[name] for name in self.order_ if name in columns}, index=range(len(Z)))

    def unfamiliar(self, X: pd.DataFrame) -> list[Note]:
        """Changes since the fit that the features cannot express, one note each: new values, broken copies."""
        check_is_fitted(self, "columns_")
        notes = []
        for name, constant in self.constants_.items():
            value = pd.Series([constant["value"]]).astype(constant["dtype"]).iloc[0]
            n_rows = int((X[name] != value).sum()) if name in X else 0
            if n_rows:
                notes.append(Note(f"{name} was always {str(value)[:40]}; it differs in ", n_rows))
        for plan in self.columns_:
            if plan.kind == "category" and plan.name in X:
                new = plan.codes(column_as_learned(X, plan)) == len(plan.levels)
                empty = new & X[plan.name].isna().to_numpy()
                if empty.any():
                    notes.append(Note(f"{plan.name} was never missing; it is in ", int(empty.sum())))
                new &= ~empty
                if new.any():
                    example = f", such as {str(X[plan.name][new].iloc[0])[:40]!r}"
                    notes.append(Note(f"{plan.name} has new values in ", int(new.sum()), example=example))
        for name, copy in self.copies_.items():
            if name in X and copy["of"] in X:
                n_rows = n_deviating(X[copy["of"]], X[name], copy)
                if n_rows:
                    notes.append(Note(f"{name} used to follow exactly from {copy['of']}; not in ", n_rows))
        return notes

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names of the features, shape (n_features,)."""
        names = self._row_names()
        names += [f"{name}, {lag} before" for lag in range(1, self.lags + 1) for name in self._row_names()]
        return np.array(names, dtype=object)

    @property
    def needed_(self) -> set[str]:
        """Columns that tell anything of a new file: those of the features, the time, constants and copies."""
        times = {self.time_} if self.clock_ or self.lags else set()
        return {*(plan.name for plan in self.columns_), *self.constants_, *self.copies_, *times}

    @property
    def sources_(self) -> tuple[str, ...]:
        """For each feature the column it comes from, (n_features,)."""
        sources = [plan.name for plan in self.columns_ for _ in plan.names()]
        sources += [self.time_] * (4 if self.clock_ else 0)
        return tuple(sources) * (1 + self.lags)

    @property
    def context_(self) -> int | None:
        """Number of the feature that is the context, or None."""
        names = [(plan, name) for plan in self.columns_ for name in plan.names()]
        return next((j for j, (plan, _) in enumerate(names) if _is_context(plan)), None)

    @property
    def levels_(self) -> tuple[str, ...]:
        """Names of the context's levels; empty without one."""
        return next((plan.level_names() for plan in filter(_is_context, self.columns_)), ())

    def to_json(self) -> str:
        """Everything learned, as JSON text: `TableEncoder.from_json` gives an encoder that encodes the same."""
        check_is_fitted(self, "columns_")
        params = {key: getattr(self, key) for key in ("missing", "max_one_hot", "clock", "lags", "learner")}
        learned = {key: getattr(self, key) for key in _LEARNED}
        return json.dumps({"params": params, **learned, "columns_": [to_dict(plan) for plan in self.columns_]})

    @classmethod
    def from_json(cls, text: str) -> TableEncoder:
        """The encoder in the text of `to_json`. Raises ValueError for anything else."""
        try:
            fields = json.loads(text)
            params = fields.pop("params")
            encoder = cls(**params)
            encoder.columns_ = [from_dict(column) for column in fields.pop("columns_")]
            for key in _LEARNED:
                setattr(encoder, key, fields[key])
            encoder.schema_ = [ColumnSchema.from_dict(column).to_dict() for column in encoder.schema_]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is not a saved encoder ({error}); save the detector again") from None
        encoder.n_features_in_ = len(encoder.columns_)
        return encoder

    def _row_names(self) -> list[str]:
        names = [name for plan in self.columns_ for name in plan.names()]
        return names + ["hour (sine)", "hour (cosine)", "weekday (sine)", "weekday (cosine)"] * bool(
            getattr(self, "clock_", False)
        )

    def _is_worth_it(self, column: pd.Series) -> bool:
        name = str(column.name)
        is_float = pd.api.types.is_float_dtype(column.dtype)
        values = column.to_numpy(float) if is_float else np.zeros(1)
        n_infinite = 0 if is_known(values).all() else int((np.abs(values) >= 1e100).sum())
        if n_infinite:
            how = "count as missing" if n_infinite >= COMMON * len(values) else "stand far outside the others"
            self.notes_.append(f"{name}: {count(n_infinite)} infinite values {how}.")
            column = column.where(is_known(values))
        first = column.iloc[:1000].dropna().iloc[:1]
        first = column.dropna().iloc[:1] if first.empty else first
        if first.empty:
            self.notes_.append(f"{name} has no values and was left out.")
            return False
        if not column.hasnans and all((part == first.iloc[0]).all() for part in (column.iloc[:1000], column)):
            value = first.iloc[0]
            plain = value.item() if isinstance(value, np.generic) else _jsonable(value)
            self.constants_[name] = {"value": plain, "dtype": str(column.dtype)}
            self.notes_.append(f"{name} is {str(value)[:40]} in every row and was left out.")
            return False
        if one_or_none(column):
            self.notes_.append(f"{name} has one value or none; only whether it is missing was kept.")
        return True

    def _learn(self, column: pd.Series, role: ColumnRole, patterns: dict[bytes, str]) -> Plan:
        is_number = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
        is_date = str(column.dtype).startswith("datetime")
        if role.role == "context":
            plan = CategoryColumn.learn_context(column)
            self.notes_.append(
                f"{role.name} is the context: rows are judged among the rows of its {len(plan.levels)} levels."
            )
            return plan
        if role.role == "category" or not (is_number or is_date) or one_or_none(column):
            plan = CategoryColumn.learn(column, self.max_one_hot)
            if plan.is_rarity:
                self.notes_.append(
                    f"{role.name} has {count(len(plan.levels))} levels and became one feature, their rarity."
                )
            return plan
        values = numbers(column)
        infinite = ~is_known(values) & ~np.isnan(values)
        holes = np.isnan(values) | (infinite & (infinite.mean() >= COMMON))
        share = float(holes.mean())
        policy = self.missing if role.missing == "auto" else role.missing
        indicator = share > 0 and (policy == "indicator" or (policy == "auto" and share >= COMMON))
        if indicator and policy == "auto":
            pattern = np.packbits(holes).tobytes()
            if patterns.setdefault(pattern, role.name) != role.name:
                self.notes_.append(f"{role.name} is missing exactly where {patterns[pattern]} is.")
                self.shared_holes_[role.name] = patterns[pattern]
                indicator = False
        if share:
            how = " and a feature says where" if indicator else ""
            self.notes_.append(f"{role.name}: {percent(share)} missing, filled around the median{how}.")
        number = NumberColumn.learn(column, indicator, self.learner)
        if number.scale:
            self.notes_.append(f"{role.name} has heavy tails and was squashed (arcsinh).")
        return number

    def _without_copies(self, frame: pd.DataFrame, used: list[ColumnRole]) -> list[ColumnRole]:
        """The columns to learn from: a copy would make a density infinite; a scorer judges numbers that follow too."""
        self.copies_ = find_copies(frame, [role for role in used if role.role != "context"])
        left_out: set[str] = set()
        for name, copy in self.copies_.items():
            what = (
                "repeats"
                if copy.get("slope", 1.0) == 1.0 and copy.get("offset", 0.0) == 0.0
                else "follows exactly from"
            )
            is_left_out = self.learner == "density" or "pairs" in copy
            self.notes_.append(f"{name} {what} {copy['of']}{' and was left out' if is_left_out else ''}.")
            left_out |= {name} if is_left_out else set()
        return [role for role in used if role.name not in left_out]


def _is_constant(column: pd.Series) -> bool:
    known = column[is_known(numbers(column))] if pd.api.types.is_float_dtype(column.dtype) else column.dropna()
    return known.empty or bool((known == known.iloc[0]).all())


def _of_rows(side: float | np.ndarray, rows: np.ndarray) -> float | np.ndarray:
    return side[rows] if isinstance(side, np.ndarray) and side.ndim else side


def _is_context(plan: Plan) -> TypeGuard[CategoryColumn]:
    return plan.kind == "category" and plan.is_context


def _checked_frame(X: object) -> pd.DataFrame:
    if not isinstance(X, pd.DataFrame):
        raise TypeError(f"X must be a pandas DataFrame, not {type(X).__name__}; read_table makes one")
    if not len(X):
        raise TableError("The table has no rows; choose a file with data rows.")
    if not X.columns.is_unique:
        raise TableError("Two columns have the same name; rename one of them.")
    return X


def _jsonable(value: object) -> object:
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _nothing_left(roles: Sequence[ColumnRole]) -> str:
    examples = ", ".join(f"{role.name[:40]} ({role.reason or role.role})" for role in roles[:4])
    return (
        f"No column is left to learn from: {examples}{', ...' if len(roles) > 4 else ''}; "
        "give at least one column that varies the role feature or category."
    )
