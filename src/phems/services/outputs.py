"""Putting outputs on record: the node itself reads and hashes what a step says it wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from phems.contract.disclosure import checked_declaration
from phems.domain.actors import NODE, Actor
from phems.domain.outputs import Output, check_output_of_run, media_type_of
from phems.services.ports import Governance, Transaction
from phems.services.ports.artifacts import ArtifactAreas
from phems.services.ports.clock import Clock
from phems.services.project_access import ProjectAccess


class Outputs:
    """The use cases of outputs."""

    def __init__(
        self, governance: Governance, artifacts: ArtifactAreas, access: ProjectAccess, clock: Clock
    ) -> None:
        self._governance = governance
        self._artifacts = artifacts
        self._access = access
        self._clock = clock

    def register_output(
        self,
        project: str,
        run_id: str,
        step_key: str,
        relative_path: str,
        declaration: Mapping[str, Any] | None = None,
    ) -> Output:
        """Hash the file at `relative_path` of the project's artifact area and put it on record.

        Project, run and step come from the step's capability, never from the step; what it declares of
        the file is its word, and kept as that. Raises `InputError` naming the path when it is not a plain
        file of this run within the project's file size, or when the declaration is not usable; then
        nothing is recorded.
        """
        declared = checked_declaration(declaration) if declaration is not None else None
        check_output_of_run(relative_path, run_id)
        limit = self._access.rules(project).max_output_size
        hasher, size = hashlib.sha256(), 0
        for chunk in self._artifacts.taken(project, relative_path, limit=limit):
            hasher.update(chunk)
            size += len(chunk)
        output = Output(
            project=project,
            run_id=run_id,
            step_key=step_key,
            path=relative_path,
            sha256=hasher.hexdigest(),
            size=size,
            media_type=media_type_of(relative_path),
            at=self._clock.now(),
            declaration=declared,
        )

        def record(work: Transaction) -> None:
            work.outputs.add(output)
            work.audit.append(
                NODE,
                "output.register",
                # Named by its content: a file's name is made by project code as it runs, and so is what a
                # dynamic output adds to the name of a step.
                output.sha256,
                project=project,
                details={
                    "run_id": run_id,
                    "size": size,
                    "declared": declared is not None,
                },
            )

        self._governance.act(record)
        return output

    def list(self, actor: Actor, project: str, run_id: str | None = None) -> Sequence[Output]:
        """The outputs of a run, or of the project, for those who may ask for releases or check them."""
        self._access.check(actor, "release.list", project)
        with self._governance.transaction() as work:
            if run_id is None:
                return work.outputs.of_project(project)
            return work.outputs.of_run(project, run_id)
