"""The log of the node's processes: one handler for all of them, text or JSON, that lets no secret through.

What an error says is quoted from what it was about: a file's name, an argument, a patient. So of an error
that is logged as one (`exc_info`, or among the arguments) its kind is told, and the lines of code that it
passed; its own words only where they are the operating system's, the database's code, or this node's.
Other libraries' lines are cut at the first: what follows quotes errors.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from phems.domain.redaction import Redaction
from phems.engine.untold import without_message
from phems.errors import PhemsError

Form = Literal["text", "json"]
OWN = "phems"
REQUESTS = "phems.requests"
"""Its lines are on the level INFO, which is let through from nobody else."""
MARKS = ("run_id", "project")
"""What a line may say besides, by `extra=`: the node's own names for things, never a text of project code."""
OF_A_REQUEST = ("method", "route", "status", "milliseconds")

_LOG = logging.getLogger(OWN)

request_id: ContextVar[str | None] = ContextVar("phems_request_id", default=None)


class NodeLog(logging.StreamHandler[TextIO]):
    """The one handler."""

    def __init__(
        self, form: Form, *, role: str, secrets: Iterable[str] = (), stream: TextIO | None = None
    ) -> None:
        super().__init__(stream if stream is not None else sys.stderr)
        self.redaction = Redaction(secrets)
        self.role = role
        self.project: str | None = None
        """The project of the whole process, of a worker."""
        self._said = self._as_json if form == "json" else self._as_text
        self.addFilter(_is_told)

    def format(self, record: logging.LogRecord) -> str:
        """One record, without secrets."""
        return self._said(record)

    def _as_json(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "role": self.role,
            "pid": record.process,
            "logger": record.name,
            "message": self.redaction(_message(record)),
        }
        marks = {"request_id": request_id.get(), "project": self.project, **_extras(record)}
        found |= {key: _safe(value, self.redaction) for key, value in marks.items() if value is not None}
        if record.exc_info and record.exc_info[1] is not None:
            found["error"] = self.redaction(without_message(record.exc_info[1], _named))
        return json.dumps(found, ensure_ascii=False)

    def _as_text(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M:%S%z")
        marks = {"request": request_id.get(), "project": self.project, **_extras(record)}
        said = " ".join(f"{key}={value}" for key, value in marks.items() if value is not None)
        line = f"{at} {record.name} {record.levelname} {_message(record)}" + (f" ({said})" if said else "")
        if record.exc_info and record.exc_info[1] is not None:
            line += f"\n{without_message(record.exc_info[1], _named)}"
        return self.redaction(line)


def set_up(log: NodeLog, *, with_requests: bool = False) -> None:
    """Let this process log by this handler alone."""
    logging.basicConfig(level=logging.WARNING, handlers=[log], force=True)
    # What Python would write to standard error itself, past the handler.
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended
    sys.unraisablehook = _not_raised
    logging.getLogger(REQUESTS).setLevel(logging.INFO if with_requests else logging.WARNING)
    # Dagster's daemons set levels of their own, and tell of every tick.
    logging.disable(logging.DEBUG if with_requests else logging.INFO)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        name = ended.thread.name if ended.thread is not None else "?"
        _LOG.error("the thread %s ended with an error", name, exc_info=ended.exc_value)


def _not_raised(unraisable: sys.UnraisableHookArgs) -> None:
    if unraisable.exc_value is not None:
        _LOG.error("an error could not be raised", exc_info=unraisable.exc_value)


def node_log() -> NodeLog | None:
    """The handler of this process, when it has one."""
    return next((each for each in logging.getLogger().handlers if isinstance(each, NodeLog)), None)


def _named(error: BaseException) -> str:
    """Its kind, and words that are nobody's but the node's, the operating system's or the database's."""
    if isinstance(error, PhemsError):
        return error.logged or str(error)
    said = error.strerror if isinstance(error, OSError) else getattr(error, "pgcode", None)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _message(record: logging.LogRecord) -> str:
    args = record.args
    if isinstance(args, tuple):
        args = tuple(_named(arg) if isinstance(arg, BaseException) else arg for arg in args)
    elif isinstance(args, Mapping):
        args = {key: _named(arg) if isinstance(arg, BaseException) else arg for key, arg in args.items()}
    said = _named(record.msg) if isinstance(record.msg, BaseException) else str(record.msg)
    try:
        text = said % args if args else said
    except (TypeError, ValueError):
        text = said  # a slip of whoever logs
    is_own = record.name == OWN or record.name.startswith(f"{OWN}.")
    return text if is_own else text.partition("\n")[0]


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    wanted = (*MARKS, *OF_A_REQUEST) if record.name == REQUESTS else MARKS
    return {key: record.__dict__[key] for key in wanted if record.__dict__.get(key) is not None}


def _safe(value: Any, redaction: Redaction) -> Any:
    return value if isinstance(value, int | float) else redaction(str(value))


def _is_told(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name == REQUESTS
