"""What steps in pods print: kept where people look for it, as far as there is room, and nowhere else."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from phems.contract.capability import Capability
from phems.engine.step_output import StepOutput
from phems.engine.step_queue import StepTask
from phems.errors import InputError, PhemsError, RefusedError, UnavailableError

STEP = Capability("step", "heart", 1.0, "d", run_id="run", step_key="../../model[a]", attempt=2)


def said(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_both_streams_are_kept_in_order_and_end_with_a_mark(tmp_path: Path) -> None:
    output = StepOutput(tmp_path, 100)
    for stream, text in (("stdout", "one "), ("stderr", "trouble"), ("stdout", "two")):
        output.hear(STEP, stream, said(text))
    output.ended(StepTask("heart", "d", "run", "../../model[a]", 2))
    (folder,) = tmp_path.glob("run/compute_logs")
    kept = {path.suffix: path.read_text() for path in folder.iterdir()}
    assert kept == {".out": "one two", ".err": "trouble", ".complete": ""}


def test_a_step_that_prints_too_much_is_cut_and_told(tmp_path: Path) -> None:
    """Otherwise one step fills the disk of the whole node."""
    output = StepOutput(tmp_path, 5)
    output.hear(STEP, "stdout", said("abc"))
    for _ in range(2):
        with pytest.raises(RefusedError, match="5 bytes"):
            output.hear(STEP, "stdout", said("defg"))
    (file,) = tmp_path.glob("run/compute_logs/*.out")
    assert file.read_text() == "abcde"


@pytest.mark.parametrize(
    ("stream", "part"),
    [("complete", said("x")), ("out", said("x")), (1, said("x")), ("stdout", 1), ("stdout", "?")],
)
def test_what_is_no_output_is_not_kept(tmp_path: Path, stream: object, part: object) -> None:
    with pytest.raises(InputError):
        StepOutput(tmp_path, 5).hear(STEP, stream, part)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_takes_nothing_is_told_and_ends_no_step(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in the way")
    output = StepOutput(tmp_path, 5)
    with pytest.raises(UnavailableError) as told:
        output.hear(STEP, "stdout", said("x"))
    assert isinstance(told.value, PhemsError)
    output.ended(StepTask("heart", "d", "run", "model", 1))
