"""The one error tree: every failure a person can meet says what happened, why, and what to do.

`what` is a sentence; `why` gives the reason; `remedy` is something to do, with the command to type.
The command line prints the three on three lines and leaves with `exit_code`; it never shows a
traceback for a `PhemsError`.
"""

from __future__ import annotations

from typing import ClassVar


class PhemsError(Exception):
    """Something that went wrong in a way its reader can act on."""

    exit_code: ClassVar[int] = 1

    logged: str | None = None
    """What the audit log keeps in the place of `what` and `why`, when these name what project code wrote."""

    def __init__(self, what: str, *, why: str = "", remedy: str = "", logged: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy
        self.logged = logged

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"Why: {self.why}")
        if self.remedy:
            parts.append(f"Remedy: {self.remedy}")
        return "\n".join(parts)


class InputError(PhemsError):
    """What the person gave (a file, an option, a value) is not usable as it is."""

    exit_code = 2


class NotFoundError(PhemsError):
    """The thing does not exist, or is not visible to who asks: both look alike on purpose."""

    exit_code = 3


class RefusedError(PhemsError):
    """A rule forbids it: a permission, a state, a policy, an approval that is missing."""

    exit_code = 4


class StaleError(RefusedError):
    """What an act rests on has changed since it was seen."""


class ConflictError(RefusedError):
    """The same act is being done, or was done and cannot be told again."""


class BusyError(ConflictError):
    """The same act is being done at this moment."""


class ReusedKeyError(InputError):
    """The name that was given to an act stands for another one."""


class CodeNeededError(RefusedError):
    """The password was right, and the code of a second factor is to come with it."""


class UnavailableError(PhemsError):
    """A part that is needed does not run, cannot be reached, or has no room left."""

    exit_code = 5


class IntegrityError(PhemsError):
    """Something that must not change has changed: an audit entry, a frozen file, a digest."""

    exit_code = 6


class SetBackError(IntegrityError):
    """A log was taken back behind what was kept outside of it, and says so itself, with a reason."""

    exit_code = 7
