"""How many files the control process may have open: as many as the system lets it, not a shell's default.

Each connection of project code is an open file of the node; 1,024, the usual default, is what a
single project could use up.
"""

from __future__ import annotations

import resource

WANTED = 65_536


def allow_many() -> int:
    """Raise the soft limit towards the hard one; gives what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
