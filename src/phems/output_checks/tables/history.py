"""Which files of the past an outsider has, or may still get."""

from __future__ import annotations

from collections.abc import Iterator

from phems.domain.output_checks import CheckedFile, CheckOrder
from phems.domain.release_states import ReleaseState

# Requests whose files did not leave the node, and will not as they are.
_KEPT_IN = frozenset({ReleaseState.REJECTED, ReleaseState.WITHDRAWN, ReleaseState.RETURNED})


def that_may_be_out(order: CheckOrder) -> Iterator[CheckedFile]:
    """The files of earlier requests that left the node or are still asked for: those of the last turns.

    A request counts as a whole: that one of its files was kept back is not seen here.
    """
    last: dict[str, int] = {order.request_id: order.turn}
    for file in order.history:
        last[file.request_id] = max(file.turn, last.get(file.request_id, 0))
    for file in order.history:
        if file.state not in _KEPT_IN and file.turn == last[file.request_id]:
            yield file
