"""Check on lineage events: each place that node.yaml names takes them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.secret_places import private_secret_at
from phems.bootstrap.doctor.databases import NOT_THERE
from phems.bootstrap.doctor.findings import Patient, Seen, ok, skipped, warning
from phems.bootstrap.lineage import targets_named
from phems.services.lineage_events import standings


def look_at_lineage(patient: Patient) -> Iterator[Seen]:
    """What the running node found when it last tried; nothing is sent."""
    collector = patient.spec.lineage.collector
    if collector is not None:
        private_secret_at(collector.token, patient.paths.folder, os.environ, key="lineage.collector.token")
    if patient.database is None:
        yield skipped(NOT_THERE)
        return
    governance = PostgresGovernance(patient.database.engine("governance"))
    for found in standings(governance, targets_named(patient.spec)):
        if found.failure:
            yield warning(
                f"{found.waiting} events wait: {found.failure}",
                "Mend it; it is tried again",
                about=found.name,
            )
        else:
            yield ok(f"takes events; {found.waiting} wait", about=found.name)
