"""Entry point of a project host: `python -m phems.host FD`, started by the node inside a sandbox."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the host on the control socket whose file descriptor is the one argument."""
    from phems.host.project_host import ProjectHost

    return ProjectHost(int(sys.argv[1])).run()


if __name__ == "__main__":
    sys.exit(main())
