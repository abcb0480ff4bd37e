"""The part of a control process that only one of a node may play at a time: it drives the runs.

In the embedded profile there is one control process, which leads from its start to its end. In the server
profile several may run, and take turns (`serve.turns`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Protocol

from phems.adapters.postgres.notifications import Listener
from phems.engine.control_plane import ControlPlane


class Leading(Protocol):
    """How a control process comes to lead."""

    def listeners(self, control: ControlPlane) -> Mapping[str, Listener]:
        """What it must hear of by notification."""
        ...

    def begin(self, control: ControlPlane, stack: ExitStack, on_gain: Callable[[], None]) -> None:
        """Lead, now or when it is this process's turn; `on_gain` is called each time it has begun to."""
        ...

    def catch_up(self, control: ControlPlane) -> None:
        """Notifications may have been missed: look."""
        ...


class AlwaysLeading:
    """The one control process of an embedded node."""

    def listeners(self, control: ControlPlane) -> Mapping[str, Listener]:  # noqa: ARG002 (the port's)
        """Everything happens in this process."""
        return {}

    def begin(self, control: ControlPlane, stack: ExitStack, on_gain: Callable[[], None]) -> None:  # noqa: ARG002
        """At once."""
        control.lead()
        on_gain()

    def catch_up(self, control: ControlPlane) -> None:
        """Nothing is told by notification alone."""
