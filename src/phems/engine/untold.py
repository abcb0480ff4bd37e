"""What the node's own log may say of an error that project code had a hand in.

The message of such an error quotes what it was about: a file's name, an argument, a patient. The log goes to
whoever runs the node, so it is told what kind of error it was and where it went through our code, no more.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable


def _kind(error: BaseException) -> str:
    return type(error).__name__


def without_message(error: BaseException, named: Callable[[BaseException], str] = _kind) -> str:
    """An error as `named`, and the lines of code it passed, oldest call first; its causes in the same way."""
    told = ["".join(traceback.format_tb(error.__traceback__)) + named(error)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        told.insert(0, without_message(cause, named))
    return "\n".join(told)


def step_name(step_key: str) -> str:
    """A step's name as its code has it: without the key of a dynamic output, which is made at run time."""
    return step_key.partition("[")[0]


class FirstLineAlone(logging.Filter):
    """For loggers of Dagster's daemons: what went wrong, without the error of project code below it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it through, cut. The whole is with the tick, for the project's own people."""
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            said = str(record.msg)  # a slip of whoever logs
        record.msg, record.args = said.partition("\n")[0], ()
        record.exc_info = record.exc_text = record.stack_info = None
        return True
