"""What a host takes on before project code is loaded, so that its processes keep to themselves.

All processes of a project share one user. Without this, a step could trace the host, take its
control socket, or read the capability of another step out of that step's memory; and it would hold
the session keyring of whoever started the node. Both are inherited by every fork.
"""

from __future__ import annotations

import ctypes
import platform

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_KEYCTL_JOIN_SESSION_KEYRING = 1
_KEYCTL = {"x86_64": 250, "aarch64": 219}


def keep_to_itself() -> None:
    """Close this process and its forks to their siblings (Linux `prctl`, `keyctl`)."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_DUMPABLE, 0), (_PR_SET_NO_NEW_PRIVS, 1)):
        libc.prctl(option, value, 0, 0, 0)
    number = _KEYCTL.get(platform.machine())
    if number is not None:
        # Refused where key rings are switched off: then there is none to leave.
        libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)
