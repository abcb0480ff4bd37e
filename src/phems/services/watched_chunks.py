"""Looking at a file's bytes while they are copied: on another processor, without holding the copy up.

Hashing lets go of Python's lock, and so does writing: of two large chunks one is hashed while the other is
written. That is what keeps freezing about as fast as hashing alone (see `benchmarks.governance.freeze`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack


def watched(chunks: Iterable[bytes], watch: Callable[[bytes], object]) -> Iterator[bytes]:
    """Pass the chunks on, each to `watch` as well: in order, one at a time, all done when this ends.

    At most two chunks are in memory. What `watch` raises is raised here, one chunk later at most.
    """
    with ExitStack() as stack:
        pool: ThreadPoolExecutor | None = None
        watching: Future[object] | None = None
        last: bytes | None = None
        for chunk in chunks:
            if last is not None:
                # Most files are one chunk long, and need no thread.
                pool = pool or stack.enter_context(ThreadPoolExecutor(1, "phems-watched"))
                if watching is not None:
                    watching.result()
                watching = pool.submit(watch, last)
                yield last
            last = chunk
        if watching is not None:
            watching.result()
        if last is not None:
            watch(last)
            yield last
