"""`phems doctor`: looks at everything that a node depends on, and says what to mend.

Nothing is started and nothing that is there is changed; what is tried out (a file written, a login) is taken
back. One row of `CHECKS` for each check: a check that is not for this node, by its node.yaml, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from phems.bootstrap.doctor import brokers, buckets, clusters, databases, doors, folders, lineage, machine
from phems.bootstrap.doctor.findings import Finding, Look, Patient, Seen, State, failed, ok
from phems.bootstrap.lineage import targets_named
from phems.errors import PhemsError
from phems.nodespec import NodeSpec, SpecError, inspect_text, node_paths, read_node_text, spec_file

__all__ = ["CHECKS", "Check", "Finding", "State", "examine"]

SPEC = "node.yaml"
PYTHON = "python"
SHOWN_PROBLEMS = 3


def _always(_: NodeSpec) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Check:
    """A check by name; `applies` says of which nodes."""

    name: str
    look: Look
    applies: Callable[[NodeSpec], bool] = _always


CHECKS: Sequence[Check] = (
    Check("repos and data", machine.look_at_what_spec_names),
    Check("sandbox", machine.look_at_sandbox),
    Check("data folder", folders.look_at_data_folder),
    Check("release zone", folders.look_at_release_zone),
    Check("room", folders.look_at_room),
    Check("file system", folders.look_at_file_system),
    Check("keys", folders.look_at_keys),
    Check("postgres", databases.look_at_postgres),
    Check("database roles", databases.look_at_roles),
    Check("migrations", databases.look_at_migrations),
    Check("clock", databases.look_at_clock),
    Check("broker", brokers.look_at_logins, lambda spec: spec.broker is not None),
    Check("broker management", brokers.look_at_management, lambda spec: spec.broker is not None),
    Check("cluster", clusters.look_at_cluster, lambda spec: spec.profile == "kubernetes"),
    Check("bucket", buckets.look_at_buckets, lambda spec: spec.storage.s3 is not None),
    Check("lineage", lineage.look_at_lineage, lambda spec: bool(targets_named(spec))),
    Check("gateway port", doors.look_at_gateway_port),
    Check("tls", doors.look_at_tls, lambda spec: spec.gateway.tls is not None),
    Check("identity provider", doors.look_at_identity_provider, lambda spec: spec.identity.oidc is not None),
)


def examine(folder: Path) -> Iterator[Finding]:
    """Every finding on the node whose node.yaml lies in `folder`, each as soon as it is there."""
    yield from _rows(PYTHON, machine.look_at_python())
    file = spec_file(folder)
    spec, document = inspect_text(read_node_text(file), file=str(file))
    if spec is None or document.problems:
        told = str(SpecError(document.problems[:SHOWN_PROBLEMS]))
        yield from _rows(SPEC, [failed(told, "phems check shows every problem; then phems doctor again")])
        return
    yield from _rows(SPEC, [ok(f"{file} is valid, profile {spec.profile}")])
    with ExitStack() as stack:
        patient = Patient(spec, node_paths(spec, file.absolute().parent), document, stack)
        for check in CHECKS:
            if check.applies(spec):
                yield from _rows(check.name, _looked(check.look, patient))


def _looked(look: Look, patient: Patient) -> Iterator[Seen]:
    try:
        yield from look(patient)
    except PhemsError as error:
        yield failed(f"{error.what} {error.why}".strip(), error.remedy)
    except Exception as error:  # noqa: BLE001 (whatever it is, the other checks are wanted all the more)
        yield failed(f"could not be looked at: {type(error).__name__}: {error}", "Please report it")


def _rows(name: str, seen: Sequence[Seen] | Iterator[Seen]) -> Iterator[Finding]:
    for each in seen:
        about = f"{name}: {each.about}" if each.about else name
        yield Finding(check=about, state=each.state, seen=each.what, remedy=each.remedy)
