"""Entry point of the viewing process: `python -m phems.file_views`, an order in, a view out (JSON)."""

from __future__ import annotations

import json
import os
import resource
import sys

from phems.domain.file_views import FileView, ViewOrder
from phems.file_views.viewing import view_of

MEMORY_BYTES = 2 << 30
CPU_SECONDS = 20


def main() -> None:
    """Read the order from stdin, look, write the view to stdout."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    order = ViewOrder.from_json(json.load(sys.stdin))
    try:
        view = view_of(order)
    except Exception as error:  # noqa: BLE001 - whatever a reader raises at a hostile file
        view = FileView("none", note=f"it cannot be read as what its name says ({type(error).__name__})")
    json.dump(view.as_json(), sys.stdout)


if __name__ == "__main__":
    main()
