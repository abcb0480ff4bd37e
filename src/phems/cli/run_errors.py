"""What goes wrong with runs, as errors of our tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phems.errors import InputError, NotFoundError, PhemsError, RefusedError

REFUSED = "Refused: "
SHOWN_KEYS = 8


def refusal(message: str) -> RefusedError:
    """The reason that admission gave, as it was written into the run's log."""
    what, _, rest = message.removeprefix(REFUSED).partition("\nWhy: ")
    if rest:
        why, _, remedy = rest.partition("\nRemedy: ")
    else:
        why = ""
        what, _, remedy = what.partition("\nRemedy: ")
    return RefusedError(what, why=why, remedy=remedy)


def launch_error(answer: Mapping[str, Any], project: str) -> PhemsError:
    if answer["__typename"] == "RunConfigValidationInvalid":
        lines = [f"{'.'.join(error['path'])}: {error['message']}".lstrip(": ") for error in answer["errors"]]
        return InputError(
            "The run config does not fit the job.", why="\n".join(lines), remedy="Give it with --config."
        )
    if answer["__typename"] == "UnauthorizedError":
        return denied(answer, f"launch runs of {project}")
    return PhemsError(
        "The run was not launched.", why=str(answer.get("message", answer["__typename"]))[:1500]
    )


def denied(answer: Mapping[str, Any], what: str) -> PhemsError:
    if answer["__typename"] == "UnauthorizedError":
        return RefusedError(
            f"You may not {what}.",
            why="It needs a role in the project that you do not have.",
            remedy="Ask an operator to add you in node.yaml.",
        )
    return PhemsError(f"The node could not {what}.", why=str(answer.get("message", ""))[:1500])


def no_run(run_id: str) -> NotFoundError:
    return NotFoundError(f"There is no run {run_id}.", remedy="phems run list")


def no_partition(key: str, known: Sequence[str]) -> NotFoundError:
    """A partition that what is to run does not have."""
    shown = list(known)
    if len(shown) > SHOWN_KEYS:
        shown = [*shown[:4], "...", *shown[-4:]]
    if not shown:
        why, remedy = "What is to run has no partitions.", "Leave out --partition."
    else:
        why, remedy = f"Partitions: {', '.join(shown)}.", "Give one of them."
    return NotFoundError(f"There is no partition {key!r}.", why=why, remedy=remedy)
