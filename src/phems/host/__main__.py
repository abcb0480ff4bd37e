"""Entry point of the project side, started by the node: a project host, or a pod for hosts or for one step.

`python -m phems.host FD` is a host, with its control socket at that file descriptor;
`python -m phems.host --step FOLDER` is a step in a pod, with the pod's files in that folder;
`python -m phems.host --hosts FOLDER [PORT]` is the pod of a project's hosts, with its files in that folder.
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
        case ["--hosts", folder, *port] if all(map(str.isdecimal, port)) and len(port) <= 1:
            from phems.host import host_pod

            host_pod.run_pod(folder, *map(int, port))
        case [descriptor] if descriptor.isdecimal():
            from phems.host.project_host import ProjectHost

            return ProjectHost(int(descriptor)).run()
    raise InputError("A host is started with a file descriptor, a pod with --step or --hosts and a folder.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
