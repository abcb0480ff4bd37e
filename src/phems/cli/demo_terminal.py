"""How the demo speaks: stages with a line that moves while they work, and claims with a tick or a cross."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from phems.errors import IntegrityError


class ClaimFailedError(IntegrityError):
    """Something that the demo shows did not hold."""

    exit_code = 1


class Teller:
    """Prints the story. On a terminal a stage's last line moves; elsewhere each line is printed once."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._status: Any = None
        self.claims = 0

    @contextmanager
    def stage(self, number: int, title: str) -> Iterator[None]:
        """A chapter: its title, what happens in it, and how long it took."""
        began = time.monotonic()
        self._console.print(f"\n[bold]{number}. {title}[/bold]")
        with self._console.status("...", spinner="line") as self._status:
            yield
        self._status = None
        self._console.print(f"   [dim]{time.monotonic() - began:.1f} s[/dim]")

    def progress(self, text: str) -> None:
        """What is going on just now; replaced by the next."""
        if self._status is not None:
            self._status.update(f"[dim]{text}[/dim]")

    def command(self, who: str, command: str) -> None:
        """What a person types."""
        self._console.print(f"   [cyan]{who}[/cyan] [dim]$[/dim] {command}", markup=True)

    def claim(self, text: str, *, holds: bool, seen: object = "") -> None:
        """Say what holds, having looked; raises `ClaimFailedError` when it does not."""
        if not holds:
            self.fail(text, seen=seen)
        self.claims += 1
        self._console.print(f"   [green]ok[/green]  {text}")

    def fail(self, text: str, *, seen: object) -> NoReturn:
        """What did not hold, and what was seen instead; ends the story."""
        self._console.print(f"   [red]NO[/red]  {text}")
        raise ClaimFailedError(
            f"The demo's claim does not hold: {text}",
            why=f"seen: {seen}"[:2000],
            remedy="See serve.log in the demo's folder.",
        )

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(text, markup=False)

    @property
    def seconds(self) -> float:
        """Since the story began."""
        return time.monotonic() - self._began
