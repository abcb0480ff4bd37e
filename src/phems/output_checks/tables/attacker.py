"""The attacker: what can be worked out of suppressed cells from all that is published.

The attacker knows every shown cell, that totals are the sums of their parts, that nobody counts less
than none, and that people are whole. They do not know by what rule cells were suppressed. For each
target the smallest and the largest value that fit are found, by a linear programme, over whole numbers
where people are counted (HiGHS, through `scipy.optimize.milp`). Every solution met on the way is a
table that could be the true one: two of them that are far enough apart in a cell prove it protected.

Source: Hundepool et al. 2012, chapter 4 (auditing of protection: the intruder's feasibility interval);
Willenborg and de Waal 2001, Elements of Statistical Disclosure Control.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from phems.output_checks.tables.lattice import Equation, Lattice
from phems.output_checks.tables.table import Coordinates

_EPSILON = 1e-5
# To find whole numbers is hard for some large tables of three and more dimensions.
_MOST_WHOLE = 200
_SECONDS_FOR_WHOLE = 2.0
_LONGEST = 3600.0
_OPTIMAL, _INFEASIBLE = 0, 2


class NoSolutionError(Exception):
    """No table fits what is shown: its totals are not the sums of its cells."""


class OutOfTimeError(Exception):
    """The attack was not over when its time was."""


@dataclass(frozen=True)
class Bounds:
    """What is known of a cell: it lies between `low` and `high`."""

    low: float
    high: float
    """Infinite, as `low` is, when nothing bounds it."""
    is_exact: bool = True
    """Otherwise it may reach further: it is open enough as it is."""
    is_whole: bool = False
    """They were found over whole numbers; otherwise whole numbers may narrow them."""

    @property
    def width(self) -> float:
        """How far it is open."""
        return self.high - self.low


@dataclass(frozen=True)
class Attack:
    """How an attack is made."""

    counts: bool
    """Cells count people: none is negative, and bounds are whole numbers."""
    negative: bool = False
    """Magnitudes may be less than zero."""
    enough: float = math.inf
    """A cell that is known to be open by this much is not looked at any further."""
    deadline: float = math.inf
    """As `time.monotonic`."""


def attack(
    lattice: Lattice, equations: Sequence[Equation], targets: Collection[Coordinates], how: Attack
) -> dict[Coordinates, Bounds]:
    """The bounds of those targets that are unknown in the equations, which hang together (`groups_of`).

    Raises `NoSolutionError` and `OutOfTimeError`.
    """
    problem = _Problem(lattice, equations, how)
    if how.counts and len(problem) <= _MOST_WHOLE:
        try:
            return problem.bounds(targets, whole=True)
        except OutOfTimeError:
            problem = _Problem(lattice, equations, how)
    return problem.bounds(targets, whole=False)


class _Problem:
    """One group of equations as arrays."""

    def __init__(self, lattice: Lattice, equations: Sequence[Equation], how: Attack) -> None:
        import numpy as np
        from scipy.optimize import Bounds as Box
        from scipy.optimize import LinearConstraint
        from scipy.sparse import coo_array

        self._how = how
        cells = dict.fromkeys(at for each in equations for at in each.cells if at in lattice.unknown)
        self._index = {at: column for column, at in enumerate(cells)}
        rows, columns, factors, constants, slack = [], [], [], [], []
        for row, equation in enumerate(equations):
            constant = 0.0
            for at, factor in ((equation.total, 1.0), *((part, -1.0) for part in equation.parts)):
                if at in self._index:
                    rows.append(row)
                    columns.append(self._index[at])
                    factors.append(factor)
                else:
                    constant -= factor * lattice.known[at]
            constants.append(constant)
            slack.append(equation.tolerance)
        size = (len(equations), len(self._index))
        right, loose = np.array(constants), np.array(slack)
        known = sum(abs(lattice.known[at]) for each in equations for at in each.cells if at in lattice.known)
        # Large enough for whatever is a sum of known cells, and for what nothing bounds.
        self._open = 50.0 * known + 1e5
        # Solvers work best with numbers of one size; people are counted as they are.
        self._scale = 1.0 if how.counts else max(1.0, known / 1e4)
        matrix = coo_array((factors, (rows, columns)), shape=size).tocsr()
        self._constraints = LinearConstraint(
            matrix, (right - loose) / self._scale, (right + loose) / self._scale
        )
        low = np.full(size[1], -self._open if how.negative else 0.0)
        high = np.array([lattice.ceilings.get(at, self._open) for at in self._index])
        self._box = Box(low / self._scale, high / self._scale)
        self._lowest = np.full(size[1], math.inf)
        self._highest = np.full(size[1], -math.inf)

    def __len__(self) -> int:
        """How many cells are unknown."""
        return len(self._index)

    def bounds(self, targets: Collection[Coordinates], *, whole: bool) -> dict[Coordinates, Bounds]:
        """The bounds of each target that there is; `whole`: over whole numbers."""
        self._whole = whole
        # Whether anything fits at all, and a first solution.
        self._solve(0, 0.0)
        return {at: self._bounds_of(self._index[at]) for at in targets if at in self._index}

    def _bounds_of(self, column: int) -> Bounds:
        if self._highest[column] - self._lowest[column] >= self._how.enough:
            return self._seen(column)
        high = -self._solve(column, -1.0)
        if self._highest[column] - self._lowest[column] >= self._how.enough:
            return self._seen(column)
        low = self._solve(column, 1.0)
        if self._how.counts:
            low, high = math.ceil(low - _EPSILON), math.floor(high + _EPSILON)
        far = self._open / 2
        return Bounds(
            -math.inf if low <= -far else low, math.inf if high >= far else high, is_whole=self._whole
        )

    def _seen(self, column: int) -> Bounds:
        return Bounds(
            float(self._lowest[column]), float(self._highest[column]), is_exact=False, is_whole=self._whole
        )

    def _solve(self, column: int, sign: float) -> float:
        """The least that `sign` times a cell can be; the solution is kept."""
        import numpy as np
        from scipy.optimize import milp

        left = self._how.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTimeError
        goal = np.zeros(len(self._index))
        goal[column] = sign
        limit = min(left, _SECONDS_FOR_WHOLE) if self._whole else min(left, _LONGEST)
        answer = milp(
            goal,
            constraints=self._constraints,
            bounds=self._box,
            integrality=np.full(len(goal), int(self._whole)),
            options={"mip_rel_gap": 0.0, "time_limit": limit},
        )
        if answer.status == _INFEASIBLE:
            raise NoSolutionError
        if answer.status != _OPTIMAL:
            raise OutOfTimeError
        self._keep(answer.x)
        return float(answer.fun) * self._scale

    def _keep(self, solution: Any) -> None:
        import numpy as np

        values = np.rint(solution) if self._whole else solution * self._scale
        self._lowest = np.minimum(self._lowest, values)
        self._highest = np.maximum(self._highest, values)
