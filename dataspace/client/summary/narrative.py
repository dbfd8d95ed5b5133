"""The part of a summary that people read: XHTML, with everything escaped. Pure.

Source: https://hl7.org/fhir/R4/narrative.html; only paragraphs and tables are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from dataspace.client.summary.labels import value_label


def narrative(inner: str, language: str) -> dict[str, Any]:
    """A Narrative around paragraphs and tables that were made here."""
    div = (
        f'<div xmlns="http://www.w3.org/1999/xhtml" lang="{language}" xml:lang="{language}">'
        f"{inner}</div>"
    )
    return {"status": "generated", "div": div}


def paragraph(text: str) -> str:
    """One paragraph."""
    return f"<p>{escape(text)}</p>"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str | tuple[str, object]]],
    product: str,
    language: str,
) -> str:
    """A table. A cell is text, or a column with its value, which is shown with its label."""
    header = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(cell if isinstance(cell, str) else shown(product, *cell, language))}</td>"
            for cell in row
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def shown(product: str, column: str, value: object, language: str) -> str:
    """A value as people read it: with its name, where the code has one."""
    if value is None:
        return "–"
    label = value_label(product, column, value, language)
    code = str(value)
    # A code says more beside its name; a word in English is replaced by its translation.
    is_code = any(sign.isdigit() for sign in code) and code.upper() == code
    return f"{code} {label}" if label and is_code else label or code
