"""The processes of the story: a node for each hospital, and one in which its people type."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from examples.federation.hospitals import Place

STOP_SECONDS = 30.0
At = Callable[..., Mapping[str, Any]]


@contextmanager
def serving(places: Sequence[Place]) -> Iterator[None]:
    """Both nodes run for as long as this lasts: `phems serve`, a process each."""
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for place in places:
            with place.log.open("ab") as log:
                command = [sys.executable, "-m", "phems.cli", "--node", str(place.node), "serve"]
                nodes.append(
                    subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                    )
                )
        yield
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            try:
                node.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()


@contextmanager
def hospitals_at_work(places: Sequence[Place]) -> Iterator[At]:
    """`everywhere(act, name -> further arguments)` has both hospitals do a thing at the same time."""
    with ProcessPoolExecutor(
        len(places), mp_context=get_context("spawn"), initializer=signal.signal, initargs=_LEFT_TO_US
    ) as pool:

        def everywhere(
            act: Callable[..., Any], arguments: Mapping[str, tuple[Any, ...]] | None = None
        ) -> dict[str, Any]:
            asked = {
                place.hospital.name: pool.submit(act, place, *(arguments or {}).get(place.hospital.name, ()))
                for place in places
            }
            return {name: answer.result() for name, answer in asked.items()}

        try:
            yield everywhere
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


# Ctrl-C reaches every process of the terminal: what becomes of the others, the story's own decides.
_LEFT_TO_US = (signal.SIGINT, signal.SIG_IGN)
