"""Unit files as systemd reads them: sections of settings, which may come more than once."""

from __future__ import annotations

from collections import defaultdict

Unit = dict[str, dict[str, list[str]]]


def parsed(text: str) -> Unit:
    """The settings of each section, in order."""
    unit: Unit = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            unit[section][key].append(value)
    return unit
