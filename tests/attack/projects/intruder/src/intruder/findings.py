"""How a hostile step tells the test what it found: one line of JSON on stdout."""

import json
from collections.abc import Callable
from typing import Any

Probe = Callable[[], Any]


def run(probes: dict[str, Probe]) -> None:
    """Try everything, whatever fails, and say how each attempt ended.

    `got: ...` means that the attempt came back with something; anything else is how it failed.
    """
    found: dict[str, Any] = {}
    for name, probe in probes.items():
        try:
            found[name] = f"got: {probe()!r}"[:4000]
        except BaseException as error:
            found[name] = f"{type(error).__name__}: {error}"[:1000]
    tell(found)


def tell(found: dict[str, Any]) -> None:
    """Print findings where the test reads them."""
    print("\nFINDINGS: " + json.dumps(found), flush=True)
