"""The coordinator's commands.

    python -m examples.federation.coordinator --folder HUB begin
    python -m examples.federation.coordinator --folder HUB round 1 --wait 600

Exit codes are those of `phems`: 2 bad input, 3 no such round, 4 a package was revoked, 5 a node has sent
nothing or cannot be reached, 6 a package or an update is not what it must be.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from examples.federation.coordinator.federation import read_federation
from examples.federation.coordinator.models import version_of
from examples.federation.coordinator.rounds import begin, run_round

from phems.errors import PhemsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.federation.coordinator", description=__doc__, formatter_class=_AsWritten
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where federation.json lies (default: here)"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("begin", help="write the model that round 1 begins from: all zero")
    one = verbs.add_parser("round", help="fetch, verify and average a round; write the next one's model")
    one.add_argument("number", type=int, help="the round")
    one.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="for updates (default: none)")
    asked = parser.parse_args(arguments)
    try:
        federation = read_federation(asked.folder)
        if asked.verb == "begin":
            path = begin(federation.folder, federation.coefficients)
            said = {"next_model": path, "next_version": version_of(federation.folder, 1)}
        else:
            said = asdict(run_round(federation, asked.number, wait=asked.wait))
    except PhemsError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(said, indent=2, default=str) + "\n")
    return 0


class _AsWritten(argparse.RawDescriptionHelpFormatter):
    """The text above as it stands."""


if __name__ == "__main__":
    sys.exit(main())
