"""Restored behind an outside anchor, on purpose: the log itself says so, or nothing makes up for it.

An anchor that holds more than the log has, or other than it has, stops every act. Except where the log has
an entry that names exactly that checkpoint and gives the reason (`phems restore --behind-anchor REASON`).
Whoever reads or verifies the log sees it for ever.
"""

from __future__ import annotations

from phems.domain.backups import RESTORED, SetBack, set_backs_of
from phems.domain.checkpoints import Checkpoint
from phems.services.ports.audit import AuditTree


def set_backs(log: AuditTree) -> list[SetBack]:
    """Every time that the log says it was set back behind an anchor, in its order."""
    return [found for entry in log.recorded(RESTORED) for found in set_backs_of(entry)]


def is_left_behind(held: Checkpoint, log: AuditTree) -> bool:
    """Whether the log names this checkpoint as one that it was restored behind."""
    return (held.size, held.root.hex()) in {(each.size, each.root) for each in set_backs(log)}
