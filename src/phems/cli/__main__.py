"""Where the command `phems` starts, kept light: what is slow to import waits for its command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from phems.cli.interrupts import ending_at_once

_NO_NODE_EXTRA = """\
Error: The command line of the node is not installed here.
Why: phems-node was installed without the extra "node"; this is the project side alone.
Remedy: pip install 'phems-node[node]'"""


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    with ending_at_once():
        try:
            import typer  # noqa: F401 (absent when only the project side is installed)
        except ModuleNotFoundError:
            print(_NO_NODE_EXTRA, file=sys.stderr)
            return 2
        from phems.cli.app import run

        return run(sys.argv[1:] if args is None else list(args))


if __name__ == "__main__":
    sys.exit(main())
