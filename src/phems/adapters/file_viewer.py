"""Files read for people in a process of their own, under bubblewrap where it works: port `FileViewer`."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO

from phems.adapters.sandbox.one_shot import OneShotPython
from phems.domain.file_views import FileView, ViewOrder
from phems.errors import IntegrityError

SECONDS = 30.0
MAX_VIEW_BYTES = 16 << 20
FILE = Path("/files/looked-at")


class SandboxedFileViewer:
    """`FileViewer` over `python -m phems.file_views`: it sees one file, read-only, and has no network."""

    def __init__(self) -> None:
        self._python = OneShotPython("phems.file_views")

    @property
    def is_isolating(self) -> bool:
        """Whether bubblewrap works here."""
        return self._python.is_isolating

    def view(self, order: ViewOrder) -> FileView:
        """See the port."""
        shown = {FILE: order.file.place}
        inside = replace(order, file=replace(order.file, place=FILE)) if self.is_isolating else order
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answer:
            asked.write(json.dumps(inside.as_json()).encode())
            asked.seek(0)
            trouble = self._python.run(asked, answer, shown, SECONDS)
            return _nothing(f"its reader was stopped: {trouble}") if trouble else _read(answer)


def _read(answer: IO[bytes]) -> FileView:
    if answer.seek(0, os.SEEK_END) > MAX_VIEW_BYTES:
        return _nothing("there is more of it than a page can show")
    answer.seek(0)
    try:
        return FileView.from_json(json.load(answer))
    except (ValueError, RecursionError, IntegrityError):
        return _nothing("its reader gave nothing that can be shown")


def _nothing(why: str) -> FileView:
    return FileView("none", note=why)
