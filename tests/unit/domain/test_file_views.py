"""What crosses from the process that reads hostile files: nothing but a view that makes sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phems.domain.file_views import FileQuery, FileView, TableRow, ViewOrder
from phems.domain.output_checks import CheckedFile
from phems.errors import IntegrityError

FILE = CheckedFile(
    path="outputs/run/table.csv",
    name="table.csv",
    request_id="rr-aaaaaaaa",
    state="SUBMITTED",
    turn=1,
    sha256="0" * 64,
    size=3,
    media_type="text/csv",
    run_id="run",
    place=Path("/files/looked-at"),
)


@pytest.mark.parametrize("only", [None, (1, 4)])
def test_an_order_arrives_as_it_was_sent(only: tuple[int, ...] | None) -> None:
    """Otherwise a checker would see another part of the file than they asked for."""
    order = ViewOrder(FILE, FileQuery(2, "x", 3, descending=True, only_rows=only, only_cells=("sex=f",)))
    assert ViewOrder.from_json(json.loads(json.dumps(order.as_json()))) == order


def test_a_view_arrives_as_it_was_sent() -> None:
    """Otherwise a checker would decide on what the file does not say."""
    view = FileView("table", columns=("a",), rows=(TableRow(1, ("x",), "a=x"),), lines=((1, "x"),), total=1)
    assert FileView.from_json(json.loads(json.dumps(view.as_json()))) == view


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {**FileView("text").as_json(), "kind": "html"},
        {**FileView("text").as_json(), "rows": [[1]]},
        {**FileView("text").as_json(), "page": "first"},
    ],
)
def test_anything_else_is_no_view(value: Any) -> None:
    """Otherwise a file that took its reader over could speak to the page."""
    with pytest.raises(IntegrityError):
        FileView.from_json(value)
