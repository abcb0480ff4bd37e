"""Case 26: what gets past the first look meets the output checks, and they cannot be turned on the node."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from attacked_node import ANA, INTRUDER, AttackedNode

from phems.adapters.output_check_runner import SandboxedCheckRunner, _folders
from phems.domain.output_checks import CheckedFile, CheckOrder, Verdict, worst
from phems.errors import RefusedError
from phems.services.release_files import Choice

# More than one file may take, less than anybody would wait.
SECONDS = 120.0

# Looks for everything that a file could reach, had it taken over the process that parses it.
LOOK_AROUND = """
import json, os, socket
def tried(deed):
    try:
        return repr(deed())
    except BaseException as error:
        return type(error).__name__
found = {
    "network": tried(lambda: socket.create_connection(("127.0.0.1", 22), 2)),
    "interfaces": [name for _, name in socket.if_nameindex() if name != "lo"],
    "file": tried(lambda: open("/files/rr-aaaaaaaa/1/outputs/run-1/a.csv").read()),
    "write": tried(lambda: open("/files/rr-aaaaaaaa/1/outputs/run-1/a.csv", "w")),
    "node": tried(lambda: os.listdir(%(data)r)),
    "beside": os.listdir("/files"),
    "environment": sorted(name for name in os.environ if "PHEMS" in name or "TOKEN" in name),
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) > 9),
    "root": tried(lambda: open("/planted", "w")),
}
print(json.dumps(found))
"""


def test_disguised_files_fail_and_harm_nobody(site: AttackedNode) -> None:
    """Otherwise a file that looks harmless runs where it is opened, or stops the node that looks at it."""
    run_id = site.launch(INTRUDER, "write_disguised_files_job")
    names = site.findings(run_id)
    assert site.run(run_id).is_success, site.log(run_id)
    checks = site.serving.node.output_checks
    passed = []
    for name in names:
        begun = time.monotonic()
        try:
            report = checks.rehearse(ANA, INTRUDER, Choice(run_id, (name,)))
        except RefusedError:
            continue  # at the door already
        assert time.monotonic() - begun < SECONDS
        if worst(report.of(f"outputs/{run_id}/{name}")) is not Verdict.FAIL:
            passed.append((name, report.findings))
    assert passed == []
    assert len(names) == 11
    assert not Path("/tmp/was-here").exists()


def test_a_file_that_takes_a_check_over_reaches_nothing(tmp_path: Path) -> None:
    """Otherwise one hole in a parser is a way to the patients, to other projects, or out."""
    for folder in ("frozen/rr-aaaaaaaa/1/outputs/run-1", "frozen/rr-bbbbbbbb/1/outputs/run-1"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.csv").write_text("a\n1\n")
    file = CheckedFile(
        *("outputs/run-1/a.csv", "a.csv", "rr-aaaaaaaa", "PENDING", 1, "0" * 64, 4, "text/csv", "run-1"),
        place=tmp_path / "frozen/rr-aaaaaaaa/1/outputs/run-1/a.csv",
    )
    order = CheckOrder(INTRUDER, "rr-aaaaaaaa", 1, (file,), (), {"checks": {"seconds": 5}})
    runner = SandboxedCheckRunner()
    assert runner.is_isolating
    with runner._python._program(_folders(order)) as program:
        command = [*program.command]
        module = command.index("-m")
        command[module:] = ["-c", LOOK_AROUND % {"data": str(tmp_path)}]
        done = subprocess.run(
            command,
            env={**program.environment},
            pass_fds=program.inherit,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    found = json.loads(done.stdout)
    assert found == {
        "network": "ConnectionRefusedError",  # the loopback of a network of its own
        "interfaces": [],
        "file": repr("a\n1\n"),
        "write": "OSError",
        "node": "FileNotFoundError",
        "beside": ["rr-aaaaaaaa"],
        "environment": [],
        "processes": [],
        "root": "OSError",
    }
