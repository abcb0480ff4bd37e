"""Which view a file gets, by the extension of its name; what is none of them is tried as a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from phems.domain.file_views import FileView, ViewOrder
from phems.domain.outputs import extension_of
from phems.file_views.json_tree import json_view
from phems.file_views.pictures import picture_view
from phems.file_views.tables import table_view
from phems.file_views.texts import text_view

View = Callable[[ViewOrder], FileView]

VIEWS: Mapping[str, View] = {
    **dict.fromkeys(("csv", "tsv", "parquet", "arrow", "feather"), table_view),
    **dict.fromkeys(("png", "jpg", "jpeg", "gif"), picture_view),
    **dict.fromkeys(("json", "geojson"), json_view),
}


def view_of(order: ViewOrder) -> FileView:
    """The view that the order asks for. Raises whatever a reader raises."""
    return VIEWS.get(extension_of(order.file.path), text_view)(order)
