"""A restored log goes on with an entry that says so, held against the outside anchors before anything counts.

Whoever restores an old backup takes decisions back, and nothing inside the node could show it. So what each
anchor holds is compared first: when it has more than the backup, or other than it, or cannot be asked, the
backup is refused, or a reason is given, which stands in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from phems.domain.actors import Actor
from phems.domain.audit import Head
from phems.domain.backups import RESTORED, Manifest
from phems.domain.checkpoints import Checkpoint
from phems.errors import IntegrityError, PhemsError
from phems.services.audit_anchors import Anchors, check_against
from phems.services.ports import Governance
from phems.services.ports.audit import AuditTree


@dataclass(slots=True)
class Compared:
    """What the anchors say of a backup."""

    behind: dict[str, Checkpoint] = field(default_factory=dict)
    """Those that hold what the log has not."""
    unasked: dict[str, str] = field(default_factory=dict)
    """Those that could not be asked, and why."""
    agree: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """What speaks against it, as a clause."""
        ahead = [f"{name} has a checkpoint of {held.size} entries" for name, held in self.behind.items()]
        return "; ".join([*ahead, *(f"{name}: {why}" for name, why in self.unasked.items())])


def continue_restored(
    governance: Governance,
    anchors: Anchors | None,
    signed_by_node: Callable[[Checkpoint], bool],
    *,
    actor: Actor,
    manifest: Manifest,
    digest: str,
    reason: str | None,
) -> Compared:
    """1. The log in the database is the one that was backed up. 2. No anchor speaks against it, or a reason
    is given. 3. The entry of the restore.

    `governance` must not ask the anchors itself: what they hold is judged here.
    """
    with governance.transaction() as tx:
        head = tx.audit.head()
        _check_head(head, manifest)  # 1
        compared = _compare(anchors, signed_by_node, head, tx.audit)
        if compared.words and not reason:  # 2
            raise IntegrityError(
                f"The backup ends at entry {head.size} of the audit log, and an outside anchor does not "
                "agree with that.",
                why=f"{compared.words}.",
                remedy="Nothing was restored. Restore a later backup; or say why the entries since are given "
                "up, which is recorded: phems restore BACKUP --behind-anchor REASON",
            )
        details = {
            "manifest": digest,
            "made_at": manifest.made_at,
            "audit_entries": manifest.audit_size,
            "anchors": sorted(compared.agree),
        }
        if compared.words:
            details["behind"] = [
                {"anchor": name, "size": held.size, "root": held.root.hex()}
                for name, held in compared.behind.items()
            ]
            details["unasked"] = compared.unasked
            details["reason"] = reason
        tx.audit.append(actor, RESTORED, manifest.node, details=details)  # 3
    return compared


def _check_head(head: Head, manifest: Manifest) -> None:
    if (head.size, head.tree.root().hex()) != (manifest.audit_size, manifest.audit_root):
        raise IntegrityError(
            "The audit log in the backup is not the one that its manifest names.",
            why=f"it has {head.size} entries; the manifest says {manifest.audit_size}, or they are others.",
            remedy="Nothing was restored. Take another copy of this backup, or an earlier one.",
        )


def _compare(
    anchors: Anchors | None, signed_by_node: Callable[[Checkpoint], bool], head: Head, log: AuditTree
) -> Compared:
    compared = Compared()
    for rule in anchors.rules if anchors is not None else ():
        try:
            handed = rule.handed.read()
            held = rule.place.latest(handed.size if handed is not None else 0)
        except PhemsError as error:
            compared.unasked[rule.name] = error.what
            continue
        if held is not None and not signed_by_node(held):
            compared.unasked[rule.name] = "what it holds is not signed by this node"
        elif held is not None:
            try:
                check_against(rule.name, held, head, log)
            except IntegrityError:
                compared.behind[rule.name] = held
            else:
                compared.agree.append(rule.name)
    return compared
