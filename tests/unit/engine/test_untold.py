"""What the node's own log says of errors that project code had a hand in: everything but their words."""

from __future__ import annotations

import logging

import pytest

from phems.engine.untold import FirstLineAlone, step_name, without_message

PATIENT = "CANARY-PATIENT"


def failing() -> None:
    try:
        int(PATIENT)
    except ValueError as error:
        raise KeyError(PATIENT) from error


def test_an_error_is_told_by_its_kind_and_its_way_without_its_words() -> None:
    """Its message may quote a patient; without the way nobody can mend what broke."""
    with pytest.raises(KeyError) as raised:
        failing()
    told = without_message(raised.value)
    assert PATIENT not in told
    assert told.index("ValueError") < told.index("KeyError")
    assert "in failing" in told


def test_a_step_is_called_as_in_the_code_that_people_approved() -> None:
    """What a dynamic output adds is made as the run goes, of whatever it has read."""
    assert step_name(f"count[{PATIENT}]") == "count"
    assert step_name("count") == "count"


def test_a_daemon_tells_what_failed_and_not_the_error_below_it(caplog: pytest.LogCaptureFixture) -> None:
    """Dagster logs a sensor's whole traceback, its message included."""
    logger = logging.getLogger("phems.test.untold")
    logger.addFilter(FirstLineAlone())
    try:
        failing()
    except KeyError:
        logger.exception("Sensor %s failed\n%s", "ask", PATIENT)
    assert "Sensor ask failed" in caplog.text
    assert PATIENT not in caplog.text


def test_a_slip_in_a_line_is_told_as_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise a daemon would end of what it meant to log."""
    logger = logging.getLogger("phems.test.slips")
    logger.addFilter(FirstLineAlone())
    logger.error("after %d ticks", "some")
    assert "after %d ticks" in caplog.text
