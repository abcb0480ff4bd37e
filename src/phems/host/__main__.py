"""Entry point of the project side, started by the node: a project host, or one step in a pod.

`python -m phems.host FD` is a host in a sandbox, with its control socket at that file descriptor;
`python -m phems.host --step FOLDER` is a step in a pod, with the pod's files in that folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from phems.errors import InputError


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments name; gives the exit code."""
    match arguments:
        case ["--step", folder]:
            from phems.host.pod_step import run_pod

            run_pod(folder)
        case [descriptor] if descriptor.isdecimal():
            from phems.host.project_host import ProjectHost

            return ProjectHost(int(descriptor)).run()
    raise InputError("A host is started with a file descriptor, a step in a pod with --step and a folder.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
