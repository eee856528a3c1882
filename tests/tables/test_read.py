"""Files as analysts have them load with the right counts, or are refused with a sentence that names the trouble."""

import gzip
import io
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from awkward_files import Awkward, awkward_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowlab.formatting import count
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.read import ReadReport, read_table

FILES = list(awkward_files())


def test_there_are_many_awkward_files():
    assert len(FILES) >= 60
    assert len({file.name for file in FILES}) == len(FILES)


@pytest.mark.parametrize("file", [f for f in FILES if f.shape[0]], ids=lambda f: f.name)
def test_awkward_file_loads(file: Awkward):
    table = read_table(file.data)
    assert table.frame.shape == file.shape == (table.report.n_rows, table.report.n_columns)
    assert table.report.n_missing == file.missing == int(table.frame.isna().sum().sum())
    for column, kind in file.types.items():
        assert table.report.types[column] == kind
    if file.cell:
        row, column, value = file.cell
        assert table.frame[column].iloc[row] == value
    assert file.says in " ".join((*table.report.changes, *table.report.warnings))
    assert table.report.sentence().startswith(f"{count(file.shape[0])} rows")
    assert ReadReport.from_json(table.report.to_json()) == table.report


@pytest.mark.parametrize("file", [f for f in FILES if not f.shape[0]], ids=lambda f: f.name)
def test_awkward_file_is_refused_in_one_sentence(file: Awkward):
    with pytest.raises(TableError) as caught:
        read_table(file.data)
    message = str(caught.value)
    assert file.refused in message
    assert message.endswith(".") and "\n" not in message and len(message) < 250


def test_missing_codes_are_missing_only_on_request():
    data = b"x,y,t\n-999,1,unknown\n2,-999.0,b\n3,4,c\n"
    assert read_table(data).report.n_missing == 0
    assert read_table(data, missing_codes=[-999, "unknown"]).report.n_missing == 3


def test_what_is_given_is_not_guessed():
    table = read_table("a;b\n1;2\n".encode("utf-16-le"), encoding="utf-16-le", delimiter=";", header=False)
    assert table.frame.shape == (2, 2) and not table.report.has_header
    assert read_table(b"x;y\n1,234;2\n", decimal=".").frame["x"].tolist() == [1234]
    with pytest.raises(TableError, match="cannot be read as"):
        read_table(b"a\n\xff\n", encoding="utf-8")


def test_one_thousand_two_hundred_or_one_point_two_is_asked():
    table = read_table(b'n,v\n1,"1,234"\n2,"5,678"\n')
    assert any("could mean" in warning for warning in table.report.warnings)


def test_path_and_bytes_read_the_same(tmp_path):
    path = tmp_path / "small.csv"
    path.write_bytes(b"a,b\n1,2\n")
    table = read_table(path)
    assert table.report.name == "small.csv"
    assert table.frame.equals(read_table(b"a,b\n1,2\n").frame)
    with pytest.raises(TableError, match="cannot be opened"):
        read_table(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("limits", "word"),
    [(Limits(bytes=10), "larger"), (Limits(rows=2), "rows"), (Limits(columns=1), "columns"), (Limits(cells=3), "rows")],
)
def test_limits(limits: Limits, word: str):
    with pytest.raises(TableError, match=word):
        read_table(b"a,b\n1,2\n3,4\n5,6\n", limits=limits)


def test_gzip_bomb_is_refused_before_memory_is_gone():
    bomb = gzip.compress(b"1,2\n" * 25_000_000)
    assert len(bomb) < 200_000
    tracemalloc.start()
    with pytest.raises(TableError, match="unpacks to more than 5 MB"):
        read_table(bomb, limits=Limits(unpacked=5_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_parquet_bomb_is_refused_while_unpacking():
    buffer = io.BytesIO()
    pd.DataFrame({"s": ["x" * 10_000] * 20_000}).to_parquet(buffer)
    assert len(buffer.getvalue()) < 200_000
    with pytest.raises(TableError, match="unpacks to more than 50 MB"):
        read_table(buffer.getvalue(), limits=Limits(unpacked=50_000_000))


@pytest.mark.parametrize(
    ("line", "cell"),
    [('"C:\\"', "C:\\"), ('"say \\"hi\\", you"', 'say "hi", you'), ('"6\\", wide"', '6", wide')],
    ids=["last in its cell", "around a word", "before a comma"],
)
def test_a_backslash_before_a_quote_is_read_as_it_was_meant(line: str, cell: str):
    table = read_table(f'name,n\n{line},1\n"x",2\n'.encode())
    assert table.frame["name"].tolist() == [cell, "x"]


def test_reading_does_not_depend_on_chunks():
    text = "v\n" + "".join(f"{i}\n" for i in range(300_000)) + "none\n12x\n"
    table = read_table(text.encode())
    assert table.frame["v"].iloc[123_456] == 123_456
    assert np.isnan(table.frame["v"].iloc[-1]) and "12x" in table.report.warnings[0]


CELLS = {
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32, allow_subnormal=False),
    "int": st.integers(-(10**12), 10**12),
    "bool": st.booleans(),
    "text": st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf")), min_size=1)
    .map(lambda text: "w" + text),
    "time": st.datetimes(min_value=pd.Timestamp(1950, 1, 1), max_value=pd.Timestamp(2100, 1, 1))
    .map(lambda t: t.replace(microsecond=0)),
}  # fmt: skip


@st.composite
def frames(draw) -> pd.DataFrame:
    """Random frames of mixed types, with holes where the type survives them in a text file."""
    n_rows = draw(st.integers(2, 30))
    columns = {}
    for position, kind in enumerate(draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5))):
        cells = draw(st.lists(CELLS[kind], min_size=n_rows, max_size=n_rows))
        if kind in ("float", "text"):
            holes = draw(st.sets(st.integers(0, n_rows - 1), max_size=n_rows // 2))
            cells = [None if i in holes else cell for i, cell in enumerate(cells)]
        dtype = {"float": float, "int": "int64", "bool": bool, "text": "str", "time": "datetime64[ns]"}[kind]
        columns[f"{kind} {position}"] = pd.Series(cells, dtype=dtype)
    return pd.DataFrame(columns)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    frame=frames(), delimiter=st.sampled_from([",", ";", "\t"]), codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
)
def test_what_we_wrote_is_what_we_read(frame: pd.DataFrame, delimiter: str, codec: str):
    blank = frame.isna().all(axis=1)
    if frame.shape[1] > 1:
        frame = frame[~blank].reset_index(drop=True)
    if not len(frame) or frame.isna().all().any():
        return
    text = frame.to_csv(index=False, sep=delimiter)
    table = read_table(text.encode(codec), delimiter=delimiter, header=True)
    assert list(table.frame) == list(frame)
    for name in frame:
        ours, theirs = table.frame[name], frame[name]
        assert ours.isna().equals(theirs.isna()), name
        if name.startswith(("float", "int")):
            np.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=1e-6)
        elif name.startswith("text"):
            assert ours.equals(theirs.str.normalize("NFC")), name
        else:
            assert ours.astype(theirs.dtype).equals(theirs), name


@settings(max_examples=150, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.text(alphabet=",;\t|\"'# \n\r.-0123456789abcNaé=\\", max_size=200).map(str.encode),
        st.tuples(st.sampled_from(FILES), st.integers(0, 400), st.binary(max_size=3)).map(
            lambda cut: cut[0].data[: cut[1]] + cut[2] + cut[0].data[cut[1] + 1 : 4000]
        ),
    )
)
def test_any_bytes_are_read_or_refused_in_a_sentence(data: bytes):
    try:
        table = read_table(data)
    except TableError as error:
        assert "\n" not in str(error)
    else:
        assert table.frame.shape == (table.report.n_rows, table.report.n_columns)
        assert table.frame.columns.is_unique
