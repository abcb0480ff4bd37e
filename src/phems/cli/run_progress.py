"""How a run goes on, told on standard error: one live line on a terminal, a line per step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

from phems.cli import session
from phems.cli.output import visible
from phems.cli.run_answers import ENDED, Event, Page, Run

_STEP_ENDS: Mapping[str, str] = {
    "STEP_SUCCESS": "done",
    "STEP_FAILURE": "failed",
    "STEP_SKIPPED": "skipped",
}
CLEAR_LINE = "\r\x1b[2K"
SHOWN_STEPS = 3


class Progress:
    """Feed it pages of a run's events; `close` ends the live line. Silent with --json."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._is_quiet = session.current().json
        self._is_live = not self._is_quiet and sys.stderr.isatty()
        self._status = ""
        self._running: dict[str, None] = {}
        self._ended: set[str] = set()
        self._planned = 0
        self._began = time.monotonic()

    def show(self, page: Page) -> None:
        """Tell what a page brings."""
        is_news = page.status != self._status
        self._status = page.status
        # The status was read before the events; the last word is still the final one.
        if is_news and page.status not in ENDED:
            self._tell(lambda: self._status)
        for event in page.events:
            self._take(event)
        self._planned = max(self._planned, page.planned_steps, len(self._ended) + len(self._running))
        if is_news and page.status in ENDED:
            self._tell(lambda: self._status)
        if self._is_live:
            sys.stderr.write(CLEAR_LINE + self._line())
            sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._is_live:
            sys.stderr.write(CLEAR_LINE)
            sys.stderr.flush()

    def _take(self, event: Event) -> None:
        if event.step is None:
            return
        if event.type == "STEP_START":
            self._running[event.step] = None
        elif event.type in _STEP_ENDS:
            self._running.pop(event.step, None)
            self._ended.add(event.step)
            self._tell(lambda: f"{event.step}: {_STEP_ENDS[event.type]}")
        elif event.type == "STEP_UP_FOR_RETRY":
            self._running.pop(event.step, None)
            self._tell(lambda: f"{event.step}: to be tried again")

    def _tell(self, text: Callable[[], str]) -> None:
        if not self._is_quiet and not self._is_live:
            print(f"{self._run.id[:8]}  {visible(text())}", file=sys.stderr, flush=True)

    def _line(self) -> str:
        from shutil import get_terminal_size

        parts = [
            self._run.id[:8],
            self._status,
            f"{len(self._ended)}/{self._planned} steps",
            f"{time.monotonic() - self._began:.1f} s",
        ]
        if self._running:
            names = list(self._running)
            more = f" and {len(names) - SHOWN_STEPS} more" if len(names) > SHOWN_STEPS else ""
            parts.append(", ".join(names[:SHOWN_STEPS]) + more)
        return visible("  ".join(parts))[: max(get_terminal_size().columns - 1, 20)]
