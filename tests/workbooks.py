"""Workbooks (.xlsx, .ods) made by hand, sound and hostile, so that tests need no library that writes them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def cell(reference: str, value: object) -> str:
    """One cell: a number, true or false, or text."""
    if isinstance(value, bool):
        return f'<c r="{reference}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{reference}"><v>{value!r}</v></c>'
    return f'<c r="{reference}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def date(reference: str, serial: float) -> str:
    """A cell that shows days since the end of 1899 as a date."""
    return f'<c r="{reference}" s="1"><v>{serial!r}</v></c>'


def workbook(sheets: Mapping[str, list[str]], **others: bytes) -> bytes:
    """A workbook of sheets, each a list of rows of cells as `cell` writes them; `others` are further parts."""
    targets = "".join(
        f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    listed = "".join(f'<sheet name="{escape(n)}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
    parts = {
        "[Content_Types].xml": (
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">{targets}'
            f'<Relationship Id="s" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
        ),
        "xl/styles.xml": (
            f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
            "</styleSheet>"
        ),
    }
    for i, rows in enumerate(sheets.values(), 1):
        data = "".join(f"<row>{row}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{i}.xml"] = f'<worksheet xmlns="{_MAIN}"><sheetData>{data}</sheetData></worksheet>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, _HEAD + text)
        for name, content in others.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def row(number: int, *values: object) -> str:
    """A row of cells from the first column on."""
    return "".join(cell(f"{chr(ord('A') + j)}{number}", value) for j, value in enumerate(values))


_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def opendocument(rows: Sequence[str]) -> bytes:
    """An OpenDocument sheet of rows as `open_row` writes them."""
    content = (
        f'<office:document-content xmlns:office="{_ODF}:office:1.0" xmlns:table="{_ODF}:table:1.0" '
        f'xmlns:text="{_ODF}:text:1.0"><office:body><office:spreadsheet><table:table table:name="a">{"".join(rows)}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", f'{_HEAD}<m:manifest xmlns:m="{_ODF}:manifest:1.0"/>')
        archive.writestr("content.xml", _HEAD + content)
    return buffer.getvalue()


def open_row(*values: object, times: int = 1, wide: int = 1) -> str:
    """A row that stands `times` times, its cells each `wide` times: numbers, true or false, or text; "" is empty."""
    cells = "".join(_open_cell(value, wide) for value in values)
    return f'<table:table-row table:number-rows-repeated="{times}">{cells}</table:table-row>'


def _open_cell(value: object, wide: int) -> str:
    here = f'<table:table-cell table:number-columns-repeated="{wide}"'
    if value == "":
        return here + "/>"
    kind, name, text = "string", "string-value", str(value)
    if isinstance(value, bool):
        kind, name, text = "boolean", "boolean-value", str(value).lower()
    elif isinstance(value, int | float):
        kind, name, text = "float", "value", repr(value)
    shown = quoteattr(text)
    return f'{here} office:value-type="{kind}" office:{name}={shown}><text:p>{escape(text)}</text:p></table:table-cell>'
