"""Output checks that find what a test says, at the port: the review does not care how they are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from phems.domain.output_checks import CheckOrder, CheckReport, Finding, Verdict
from phems.errors import PhemsError


@dataclass
class SetCheckRunner:
    """Fits `OutputCheckRunner`: files whose name is in `failing` fail; `broken` is raised instead."""

    failing: set[str] = field(default_factory=set)
    request_fails: bool = False
    broken: PhemsError | None = None
    orders: list[CheckOrder] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    @property
    def is_isolating(self) -> bool:
        return True

    def describe(self) -> str:
        return "checks that are set"

    def run(self, order: CheckOrder) -> CheckReport:
        self.orders.append(order)
        self.meanwhile()
        if self.broken is not None:
            raise self.broken
        findings = [
            Finding(
                "small_cells",
                "1",
                file.path,
                Verdict.FAIL if file.name in self.failing else Verdict.PASS,
                f"looked at {file.name}",
            )
            for file in order.files
        ]
        if self.request_fails:
            findings.append(Finding("differencing", "1", None, Verdict.FAIL, "one patient apart"))
        return CheckReport(tuple(findings), {"set": "1"})
