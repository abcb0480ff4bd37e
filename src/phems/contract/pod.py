"""What the node and a step's pod agree on: the files that it is given, and what its exit codes say.

A pod is told three things, in files of one folder: where the storage service is, which certificate it shows,
and the capability to show there. What it is to do it asks for. An exit code of this table is the pod's own;
any other is that of the step's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

ADDRESS_FILE = "address"
CERTIFICATE_FILE = "certificate"
CAPABILITY_FILE = "capability"


class PodExit(IntEnum):
    """How a pod ends that could not come to its step."""

    NOT_REACHED = 91
    REFUSED = 92
    NOT_LOADED = 93


MEANINGS: Mapping[int, str] = {
    PodExit.NOT_REACHED: "The step's pod did not reach the storage service of its worker: see whether the "
    "project's NetworkPolicy lets it (phems render manifests), and whether its worker lives.",
    PodExit.REFUSED: "The storage service refused the step's pod: its capability has expired, or its attempt "
    "is over.",
    PodExit.NOT_LOADED: "The definitions do not load in the step's pod: the image of the project "
    "(kubernetes.image) has other packages than they need.",
}


def of_step(code: int) -> int:
    """The exit code of a step's own process: 1 where it would be taken for one of the pod's."""
    return 1 if code in MEANINGS else code
