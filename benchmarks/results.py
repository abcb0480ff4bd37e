"""What was measured, and what it amounts to: medians and ratios. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.configurations import IN_PROCESS, MULTIPROCESS, NODE

NOISY_SPREAD = 1.5
NOISY_FOREIGN_SHARE = 0.1


@dataclass
class Measurement:
    """One work of one configuration. `samples` are seconds, or runs per minute for `runs_50`."""

    configuration: str
    work: str
    unit: str
    samples: list[float] = field(default_factory=list)
    cpu_seconds_per_run: float | None = None
    foreign_share: float = 0.0
    """CPU time that something else took on this machine meanwhile, as a share of all there is."""
    problem: str = ""
    """Why there is no figure, or why it is not to be trusted."""
    note: str = ""

    @property
    def median(self) -> float | None:
        """The figure, when there is one."""
        return median(self.samples) if self.samples else None

    @property
    def is_noisy(self) -> bool:
        """Whether the next invocation may well give another figure."""
        scattered = bool(self.samples) and max(self.samples) > NOISY_SPREAD * min(self.samples)
        return scattered or self.foreign_share > NOISY_FOREIGN_SHARE

    @property
    def remarks(self) -> list[str]:
        """What a reader of the figure must know."""
        said = [text for text in (self.problem, self.note) if text]
        if self.samples and max(self.samples) > NOISY_SPREAD * min(self.samples):
            said.append(f"noisy: samples from {min(self.samples):.3g} to {max(self.samples):.3g}")
        if self.foreign_share > NOISY_FOREIGN_SHARE:
            said.append(f"noisy: other programs took {self.foreign_share:.0%} of the CPU meanwhile")
        return said


@dataclass(frozen=True)
class Target:
    """What is asked of a ratio, which is drawn from the figures of `work`."""

    key: str
    work: str
    title: str
    at_least: float
    against: str


TARGETS = (
    Target("one_op", "one_op", "1-op job, submission to success", 10, "best stock configuration"),
    Target("fanout_100", "fanout_100", "100-way fan-out", 3, "stock in-process"),
    Target("fanout_100_vs_multiprocess", "fanout_100", "100-way fan-out", 50, "stock multiprocess"),
    Target("runs_50", "runs_50", "50 runs at once, runs per minute", 12, "best stock configuration"),
    Target("cpu_per_run", "one_op", "CPU seconds per run", 10, "best stock configuration"),
)
MEMORY_TARGET_MB = 600.0
GATEWAY_TARGET = 1.3
"""How many times stock's time a list of runs may take, scoped to who asks."""


def ratios(measurements: Sequence[Measurement]) -> dict[str, float | None]:
    """How many times better the node is, larger is better; None where a side has no figure."""
    times = {
        (m.configuration, m.work): m.median for m in measurements if m.median is not None and not m.problem
    }
    cpu = {
        m.configuration: m.cpu_seconds_per_run
        for m in measurements
        if m.work == "one_op" and m.cpu_seconds_per_run is not None and not m.problem
    }

    def peers(work: str) -> list[float]:
        return [value for (name, w), value in times.items() if w == work and name != NODE]

    stock_cpu = [value for name, value in cpu.items() if name != NODE]
    return {
        "one_op": _divide(_best(min, peers("one_op")), times.get((NODE, "one_op"))),
        "fanout_100": _divide(times.get((IN_PROCESS, "fanout_100")), times.get((NODE, "fanout_100"))),
        "fanout_100_vs_multiprocess": _divide(
            times.get((MULTIPROCESS, "fanout_100")), times.get((NODE, "fanout_100"))
        ),
        "runs_50": _divide(times.get((NODE, "runs_50")), _best(max, peers("runs_50"))),
        "cpu_per_run": _divide(_best(min, stock_cpu), cpu.get(NODE)),
    }


def drawn_out(points: Sequence[tuple[int, float]], width: int) -> float:
    """The time of a fan-out of `width`, on the line through the two widest measured ones (width, seconds).

    The multiprocess executor starts a process per branch, a few at a time: its time grows by the same
    amount with each branch, and a hundred of them take minutes.
    """
    (narrow, first), (wide, second) = sorted(points)[-2:]
    return second + (second - first) / (wide - narrow) * (width - wide)


def _best(choose: Callable[[Iterable[float]], float], values: list[float]) -> float | None:
    return choose(values) if values else None


def _divide(above: float | None, below: float | None) -> float | None:
    return round(above / below, 2) if above is not None and below else None
