"""What the node's processes write to their log: who and which run, and nothing that errors quote."""

from __future__ import annotations

import io
import json
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from phems.adapters.node_log import REQUESTS, NodeLog, node_log, request_id, set_up
from phems.errors import RefusedError

CANARY = "CANARY-PATIENT-7f3a9"


@contextmanager
def logging_to(form: Any = "json", *, with_requests: bool = False) -> Iterator[io.StringIO]:
    """This process logs as the node does, and as it did before when it is over."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, root.manager.disable, threading.excepthook)
    root.handlers = []
    written = io.StringIO()
    set_up(
        NodeLog(form, role="worker", secrets=["of-the-broker"], stream=written), with_requests=with_requests
    )
    try:
        yield written
    finally:
        logging.captureWarnings(capture=False)
        root.handlers, level, disabled, threading.excepthook = before
        root.setLevel(level)
        logging.disable(disabled)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_says_when_who_where_and_for_which_request_and_run() -> None:
    """Without them an operator cannot tell what belongs together, of hundreds of runs at once."""
    with logging_to() as written:
        log = node_log()
        assert log is not None
        log.project = "heart"
        before = request_id.set("4b8e")
        try:
            logging.getLogger("phems.worker").warning("step of %s", "run 1", extra={"run_id": "3f1c"})
        finally:
            request_id.reset(before)
    (line,) = lines(written)
    assert line.pop("time").endswith("+00:00")
    assert line.pop("pid") > 0
    assert line == {
        "level": "WARNING",
        "role": "worker",
        "logger": "phems.worker",
        "message": "step of run 1",
        "request_id": "4b8e",
        "run_id": "3f1c",
        "project": "heart",
    }


@pytest.mark.parametrize("form", ["json", "text"])
def test_of_an_error_its_kind_and_its_way_are_told_and_no_word_of_it(form: str) -> None:
    """What project code raises comes up in the control plane, too, and quotes whatever it was about."""

    def fail() -> None:
        patients: dict[str, int] = {}
        try:
            patients[CANARY]
        except KeyError as error:
            raise ValueError(f"no {CANARY}.csv") from error

    with logging_to(form) as written:
        log = logging.getLogger("phems.hosts")
        try:
            fail()
        except ValueError as error:
            log.warning("it failed: %s", error, exc_info=True)
            log.warning(error)
            log.warning("by name: %(error)s", {"error": error})
    told = written.getvalue()
    assert CANARY not in told
    assert "KeyError" in told
    assert "it failed: ValueError" in told
    assert "by name: ValueError" in told
    assert "test_node_log.py" in told


def test_words_that_are_the_nodes_or_the_systems_own_are_told() -> None:
    with logging_to() as written:
        log = logging.getLogger("phems.publisher")
        log.warning("%s", RefusedError(f"{CANARY} is no table.", logged="A file is no table."))
        log.warning("%s", PermissionError(13, "Permission denied", f"/data/{CANARY}"))
    assert [line["message"] for line in lines(written)] == [
        "A file is no table.",
        "PermissionError: Permission denied",
    ]


def test_of_another_librarys_line_the_first_is_told_and_without_secrets() -> None:
    """Dagster's daemons print the error of a sensor below what went wrong."""
    token = "phems_" + secrets.token_urlsafe(32)
    with logging_to() as written:
        told = logging.getLogger("dagster.daemon.SensorDaemon")
        told.error("Sensor daemon caught an error for %s with %s\n%s", "ask", token, CANARY)
        # Not of Dagster's: its own tests may have given that a handler that takes no slip.
        logging.getLogger("somebody.else").error("as of-the-broker, with %d", "no number")
        told.info("a tick")
    assert [line["message"] for line in lines(written)] == [
        "Sensor daemon caught an error for ask with [redacted]",
        "as [redacted], with %d",
    ]


def test_extras_that_nobody_asked_for_are_left_out() -> None:
    with logging_to() as written:
        logging.getLogger("phems.x").warning("a word", extra={"patient": CANARY, "status": 1})
    assert not {"patient", "status"} & lines(written)[0].keys()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_line_for_each_request_where_it_is_wanted(form: str) -> None:
    answered = {"method": "GET", "route": "/api/me", "status": 200, "milliseconds": 3}
    with logging_to(form) as without:
        logging.getLogger(REQUESTS).info("answered", extra=answered)
    assert without.getvalue() == ""
    with logging_to(form, with_requests=True) as written:
        logging.getLogger(REQUESTS).info("answered", extra=answered)
        logging.getLogger("phems.other").info("a tick")
    if form == "json":
        (line,) = lines(written)
        assert answered.items() <= line.items()
    else:
        assert written.getvalue().endswith("answered (method=GET route=/api/me status=200 milliseconds=3)\n")


def test_a_thread_that_ends_with_an_error_tells_no_word_of_it_either() -> None:
    """Python itself would write all of it to standard error, past every rule."""

    def fail() -> None:
        raise ValueError(CANARY)

    with logging_to() as written:
        thread = threading.Thread(target=fail, name="phems-publisher")
        thread.start()
        thread.join()
    (line,) = lines(written)
    assert line["message"] == "the thread phems-publisher ended with an error"
    assert "ValueError" in line["error"]
    assert CANARY not in written.getvalue()
