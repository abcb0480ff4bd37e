"""Looking at this machine's processes, as a test that nothing is left must."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def pids_with(words: str) -> list[int]:
    """The live processes whose command line holds `words`, wherever they hide."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if words in command:
                    found.append(int(entry.name))
    return found
