"""What `phems run` makes of what it is given and told: configs, tags, refusals, failures, progress."""

from __future__ import annotations

import os
import pty
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from phems.cli.run import _config, _status, _tags
from phems.cli.run_answers import Event, Page, Run, event_of
from phems.cli.run_errors import no_partition, refusal
from phems.cli.run_progress import Progress
from phems.errors import InputError, RefusedError

AT = datetime(2026, 11, 1, tzinfo=UTC)
RUN = Run("9b203c0f-1", "heart-attack", "survival", "QUEUED", "ana", None, None, AT, None, None, None, {})


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("No approved code.", why="it was revoked.", remedy="phems code submit"),
        RefusedError("No approved code.", why="it was revoked."),
        RefusedError("No approved code.", remedy="phems code submit"),
        RefusedError("No approved code."),
        RefusedError("Two lines\nof what.", why="one.", remedy="a\nb"),
    ],
)
def test_a_refusal_reads_the_same_after_its_way_through_the_log(error: RefusedError) -> None:
    """The remedy is the command to type: lost on the way, nobody knows what to ask for."""
    found = refusal(f"Refused: {error}")
    assert (found.what, found.why, found.remedy) == (error.what, error.why, error.remedy)


def test_a_run_config_is_a_mapping_from_json_yaml_or_a_file(tmp_path: Path) -> None:
    assert _config(None) is None
    assert _config('{"ops": {}}') == {"ops": {}}
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing yet\n", encoding="utf-8")
    assert _config(str(empty)) == {}
    as_json = tmp_path / "run.json"
    as_json.write_text('{"ops": {"a": 1}}', encoding="utf-8")
    assert _config(str(as_json)) == {"ops": {"a": 1}}


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "!!python/object/apply:os.system ['true']", "\x00"])
def test_a_file_that_is_no_run_config_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"run\.yaml is no run config"):
        _config(str(file))


def test_a_folder_or_binary_file_as_run_config_is_told(tmp_path: Path) -> None:
    binary = tmp_path / "run.yaml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path, binary, tmp_path / "missing.yaml"):
        with pytest.raises(InputError, match="cannot be read"):
            _config(str(path))


def test_tags_and_statuses_are_read_as_people_write_them() -> None:
    assert _tags(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}
    for bad in ("a", "=b"):
        with pytest.raises(InputError, match="no tag"):
            _tags([bad])
    assert _status("success") == "SUCCESS"
    with pytest.raises(InputError, match="failure"):
        _status("failed")


def test_an_author_reads_their_own_error_first() -> None:
    """Dagster wraps what an op raises; the wrapping must not hide it."""
    told = {
        "timestamp": "1795424004419",
        "level": "ERROR",
        "stepKey": "cohort",
        "eventType": "STEP_FAILURE",
        "message": "Execution of step failed.",
        "error": {
            "message": "DagsterExecutionStepExecutionError: Error occurred\n",
            "stack": ['  File "/env/site-packages/dagster/_core/x.py", line 1\n'],
            "cause": {
                "message": "ValueError: no patients\n",
                "stack": [
                    '  File "/env/site-packages/dagster/_core/y.py", line 2\n',
                    '  File "/code/src/cohort.py", line 3, in cohort\n    raise ValueError\n',
                ],
                "cause": None,
            },
        },
    }
    event = event_of(told)
    assert event.first_line == "ValueError: no patients"
    assert "cohort.py" in event.details
    assert "site-packages/dagster" not in event.details
    assert "Error occurred" in event.details


def test_a_wrong_partition_shows_some_that_exist_not_thousands() -> None:
    told = no_partition("x", [f"2024-{number:04}" for number in range(5000)])
    assert "2024-0000" in told.why
    assert "2024-4999" in told.why
    assert len(told.why) < 200


def test_progress_ends_with_the_final_status_and_shows_no_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A step's name comes from project code: it must not drive the reader's terminal."""
    progress = Progress(RUN)
    names = ("cohort", "evil\x1b[2J")
    events = [Event(AT, "DEBUG", name, "STEP_START", "") for name in names]
    progress.show(Page("STARTED", events, 2, None, has_more=False))
    events = [Event(AT, "DEBUG", name, "STEP_SUCCESS", "") for name in names]
    progress.show(Page("SUCCESS", events, 2, None, has_more=False))
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("STARTED")
    assert lines[-1].endswith("SUCCESS")
    assert "\x1b" not in "".join(lines)


def test_progress_on_a_terminal_is_one_line_that_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        progress = Progress(RUN)
        started = [Event(AT, "DEBUG", f"step{number}", "STEP_START", "") for number in range(5)]
        progress.show(Page("STARTED", started, 5, None, has_more=False))
        progress.close()
        text = ""
        while not text.endswith("\r\x1b[2K") or "steps" not in text:  # a terminal hands on what it has so far
            text += os.read(ours, 4096).decode()
    os.close(ours)
    assert "0/5 steps" in text
    assert "step2 and 2 more" in text
    assert "\n" not in text
