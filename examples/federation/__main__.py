"""The whole example, from the top of a checkout: `make federation`, or `python -m examples.federation`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from phems.errors import PhemsError


def main() -> int:
    """Tell the story; exit code 0 only if every claim held."""
    parser = argparse.ArgumentParser(prog="python -m examples.federation", description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".federation"),
        help="where it lives; made anew each time (default: %(default)s)",
    )
    folder: Path = parser.parse_args().folder.absolute()
    from examples.federation.story import tell

    try:
        tell(folder)
    except PhemsError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; both nodes are stopped.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
