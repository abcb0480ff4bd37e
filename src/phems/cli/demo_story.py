"""The story of the demo: two projects from submitted code to released files, each claim checked as told.

People act through the same commands that they would type; see `demo_acts`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

from phems.cli import demo_libraries, demo_mlflow
from phems.cli.demo_acts import RUN_SECONDS, Story, artifacts, error_of, host_of, run_of
from phems.cli.demo_node import PEOPLE, DemoNode
from phems.cli.demo_terminal import Teller
from phems.errors import IntegrityError, RefusedError

SENSOR_SECONDS = 60.0
HEART, BREAST = "heart-attack", "breast-cancer"
PATIENTS, DEATHS = 500, 220  # of WHAS500; the model tells its 215 deaths to the nearest ten
RESAMPLES = 8
OUTPUTS = ["cox_coefficients.json", "km_curve.png", "km_table.csv"]
_START_SENSOR = """mutation Start($selector: SensorSelector!) { startSensor(sensorSelector: $selector) {
  __typename ... on PythonError { message } } }"""


def tell(folder: Path, *, keep: bool) -> None:
    """Tell it from a fresh folder; raises when a claim does not hold."""
    # Ended from outside as by Ctrl-C: the node that was started must not be left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    story = Story(DemoNode(folder), Teller())
    chapters = (
        ("A hospital's node, from an empty folder", set_up),
        ("Code is submitted, and approved by somebody else", _approve_code),
        ("Heart attack: cohort, Kaplan-Meier curves, Cox model", _run_heart),
        ("Breast cancer: a fan-out, and a step that fails once", _run_breast),
        ("Two small projects, with two versions of one library", demo_libraries.run),
        ("A model is tracked in its project's own MLflow", demo_mlflow.run),
        ("Neither project can read the other's data", _refuse_data),
        ("A release is asked for, and two checkers vote, blind to each other", _release),
        ("The second project's result is released, too", _release_breast),
        ("The sensor asked for today's quality report by itself", _sensor),
        ("The audit log, for a sceptic", _audit),
    )
    try:
        for number, (title, chapter) in enumerate(chapters, 1):
            with story.teller.stage(number, title):
                chapter(story)
        _end(story, keep=keep)
        if keep:
            story.node.wait()
    finally:
        story.node.stop()


def set_up(story: Story) -> None:
    """The first chapter: the node of the example hospital runs, and its people can act."""
    node, teller = story.node, story.teller
    teller.progress("making repositories and data")
    node.make()
    code, problems = node.act("operator", "check")
    teller.claim(
        "node.yaml, four Code Repos and both data sources are in order", holds=code == 0, seen=problems
    )
    teller.progress("starting the node")
    node.start(teller.progress)
    status = node.status() or {}
    teller.claim(f"the node serves on {status.get('url')}, on this machine alone", holds=bool(status))
    teller.say(f"       sandbox: {status.get('sandbox')}")
    for name in PEOPLE:
        teller.progress(f"adding {name}")
        _, _user = node.act("operator", "user", "add", name)
        code, token = node.act("operator", "user", "token", name)
        if code:
            teller.fail(f"{name} has no token", seen=token)
        node.tokens[name] = token["token"]
    teller.claim(f"{len(node.tokens)} people can sign in, each with the roles of node.yaml", holds=True)


def _approve_code(story: Story) -> None:
    for author, owner, project in (("ana", "wei", HEART), ("ben", "ingrid", BREAST)):
        revision = story.act(author, "code", "submit", "--project", project)
        commit = revision["commit"][:12]
        code, error = story.act(author, "code", "approve", "--project", project, commit, refused=True)
        story.teller.claim(
            f"{author} cannot approve it: {error}", holds=code == RefusedError.exit_code, seen=error
        )
        story.act(owner, "code", "approve", "--project", project, commit)
    for project in (HEART, BREAST):
        host = story.wait_for(f"the host of {project}", partial(host_of, story, project), RUN_SECONDS)
        digest = host["code_digest"][:12] if host else "none"
        story.teller.claim(
            f"{project} is loaded in its own sandbox, from the approved digest {digest}",
            holds=bool(host) and host["state"] == "READY",
            seen=host,
        )
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": HEART,
        "sensorName": "quality_after_cohort",
    }

    def switched_on() -> bool:
        answer = story.node.graphql("ana", _START_SENSOR, selector=selector)
        return bool(answer.get("data", {}).get("startSensor", {}).get("__typename") == "Sensor")

    # A host is ready a moment before Dagster's own view of its code is.
    started = story.wait_for("the sensor that watches the cohort", switched_on, RUN_SECONDS)
    story.teller.claim(
        "ana switched on the sensor that watches the cohort", holds=bool(started), seen=selector
    )
    demo_libraries.approve(story)


def _run_heart(story: Story) -> None:
    run = run_of(story, "ana", HEART, "analysis")
    story.analysis = run["id"]
    story.teller.claim("the run succeeded", holds=run["status"] == "SUCCESS", seen=run)
    names = sorted(Path(output["path"]).name for output in run["outputs"])
    story.teller.claim(
        f"three outputs are on record, hashed by the node: {', '.join(names)}",
        holds=names == OUTPUTS,
        seen=run["outputs"],
    )
    model = json.loads(
        (artifacts(story, HEART) / "outputs" / story.analysis / "cox_coefficients.json").read_text()
    )
    story.teller.claim(
        f"the Cox model is fitted on {PATIENTS} patients (concordance {model['concordance']:.3f})",
        holds=(model["patients"], model["deaths"]) == (PATIENTS, DEATHS),
        seen=model,
    )
    demo_mlflow.launch_risk(story)


def _run_breast(story: Story) -> None:
    run = run_of(story, "ben", BREAST, "bootstrap_hormone_effect")
    story.bootstrap = run["id"]
    story.teller.claim("the run succeeded", holds=run["status"] == "SUCCESS", seen=run)
    fanned = [step for step in run["steps"] if "[" in step["key"]]
    story.teller.claim(
        f"{len(fanned)} resamples were fitted side by side", holds=len(fanned) == RESAMPLES, seen=run["steps"]
    )
    retried = [step for step in run["steps"] if step["attempts"] > 1]
    story.teller.claim(
        f"{', '.join(step['key'] for step in retried)} failed once and was tried again",
        holds=len(retried) == 1,
        seen=run["steps"],
    )


def _refuse_data(story: Story) -> None:
    code, error = story.act("ben", "run", "launch", BREAST, "read_declared_other_data", refused=True)
    story.teller.claim(
        "a job that declares the other project's data is refused at the door, before any code runs",
        holds=code == RefusedError.exit_code and "no grant for the data source whas500" in error,
        seen=error,
    )
    run = run_of(story, "ben", BREAST, "read_other_data")
    story.teller.claim(
        "a job that asks for it quietly, in mid-step, finds nothing there",
        holds=run["status"] == "FAILURE" and "whas500" in json.dumps(run),
        seen=run,
    )


def _check_outputs(story: Story) -> None:
    report = story.act("ana", "release", "check", "--project", HEART, "--run", story.analysis)
    verdicts: dict[str, set[str]] = {}
    for finding in report["findings"]:
        verdicts.setdefault(Path(finding["path"] or "").name, set()).add(finding["verdict"])
    declared = ["cox_coefficients.json", "km_table.csv"]
    story.teller.claim(
        f"the output checks have nothing against {' and '.join(declared)}; the picture is for people",
        holds=all(verdicts.get(name) == {"pass"} for name in declared)
        and verdicts.get("km_curve.png") == {"pass", "review"},
        seen=report["findings"],
    )


def _release(story: Story) -> None:
    teller = story.teller
    _check_outputs(story)
    request = story.act(
        "ana", "release", "request", "--project", HEART, "--run", story.analysis,
        "--context", "Survival after a heart attack, for publication",
        "--controls", "Numbers at risk in tens, groups below ten left out",
    )  # fmt: skip
    story.request = request["id"]
    reviewed = {file["name"]: file["sha256"] for file in request["files"]}
    teller.claim(
        f"{len(reviewed)} files are frozen by their SHA-256", holds=sorted(reviewed) == OUTPUTS, seen=request
    )
    victim = artifacts(story, HEART) / "outputs" / story.analysis / "km_table.csv"
    victim.write_text("patient_id,name\n1,Jane Doe\n")
    teller.say("       (meanwhile, somebody swaps km_table.csv in the artifact area)")
    code, error = story.act("ana", "release", "vote", story.request, "--approve", "all", refused=True)
    teller.claim(f"the author cannot vote: {error}", holds=code == RefusedError.exit_code, seen=error)
    story.act("carol", "release", "vote", story.request, "--approve", "all")
    seen = story.act("dmitri", "release", "show", story.request)
    teller.claim(
        "dmitri sees no vote of carol's while he has not voted",
        holds="carol" not in json.dumps(seen["files"]),
        seen=seen,
    )
    package = story.node.releases / story.request
    teller.claim("one vote releases nothing", holds=not package.exists(), seen=package)
    story.act("dmitri", "release", "vote", story.request, "--approve", "all")
    _check_package(story, package, reviewed)
    teller.claim(
        "the package has the bytes that were reviewed, not the swapped ones",
        holds="Jane Doe" not in "".join(path.read_text() for path in package.rglob("*.csv")),
    )
    _verify_package(story, package)


def _verify_package(story: Story, package: Path) -> None:
    key = story.act("operator", "release", "key")["public_key"]
    found = story.act("operator", "release", "verify", str(package), "--key", key)
    story.teller.claim(
        f"whoever gets the package verifies it offline, with the public key {found['key_id']} alone",
        holds=found["request"] == story.request and len(found["files"]) == len(OUTPUTS),
        seen=found,
    )
    changed = story.node.folder / "changed-package"
    shutil.copytree(package, changed, copy_function=shutil.copyfile)
    (changed / "files" / "km_table.csv").write_text("time,at_risk\n0,1\n")
    code, result = story.node.act("operator", "release", "verify", str(changed), "--key", key)
    shutil.rmtree(changed)
    story.teller.claim(
        "with one file changed it does not, and the file is named",
        holds=code == IntegrityError.exit_code and "km_table.csv" in json.dumps(result),
        seen=result,
    )


def _release_breast(story: Story) -> None:
    request = story.act(
        "ben", "release", "request", "--project", BREAST, "--run", story.bootstrap,
        "--file", "hazard_ratio.json", "--context", "Effect of hormonal therapy",
        "--controls", "One estimate over all 686 patients",
    )  # fmt: skip
    for checker in ("dmitri", "esra"):
        story.act(checker, "release", "vote", request["id"], "--approve", "all")
    reviewed = {file["name"]: file["sha256"] for file in request["files"]}
    _check_package(story, story.node.releases / request["id"], reviewed)


def _sensor(story: Story) -> None:
    def runs() -> Any:
        _, found = story.node.act("ana", "run", "list", "--project", HEART)
        return [run for run in found if run["job"] == "quality" and run["status"] == "SUCCESS"]

    found = story.wait_for("the sensor's run", runs, SENSOR_SECONDS)
    story.teller.claim(
        "the sensor saw the new cohort; its run passed the same admission and made today's partition",
        holds=bool(found) and found[0]["requester"].startswith("sensor:"),
        seen=found,
    )


def _audit(story: Story) -> None:
    teller, log = story.teller, story.node.folder / "audit.jsonl"
    story.act("uma", "audit", "export", "--out", str(log))
    result = story.act("uma", "audit", "verify", str(log))
    lines = log.read_bytes().splitlines(keepends=True)
    teller.claim(
        f"the exported log of {len(lines) - 2} entries verifies, without the node", holds=True, seen=result
    )
    forged = story.node.folder / "audit-forged.jsonl"
    middle = len(lines) // 2
    for what, content in (
        ("one changed", [*lines[:middle], _forged(lines[middle]), *lines[middle + 1 :]]),
        ("one removed", [*lines[:middle], *lines[middle + 1 :]]),
        ("two exchanged", [*lines[:middle], lines[middle + 1], lines[middle], *lines[middle + 2 :]]),
        ("the last ones cut off", [*lines[:-3], lines[-1]]),
    ):
        forged.write_bytes(b"".join(content))
        code, result = story.node.act("uma", "audit", "verify", str(forged))
        teller.claim(
            f"with {what} it does not: {error_of(result)}",
            holds=code == IntegrityError.exit_code,
            seen=result,
        )
    forged.unlink()
    code, result = story.node.act("uma", "audit", "verify")
    teller.claim("the node's own log agrees with its signed checkpoint", holds=code == 0, seen=result)


def _forged(line: bytes) -> bytes:
    return line.replace(b'"actor":"', b'"actor":"not-', 1)


def _end(story: Story, *, keep: bool) -> None:
    node, teller = story.node, story.teller
    shown = shown_path(node.folder)
    teller.say(f"\nAll {teller.claims} claims held, in {teller.seconds:.0f} s.\n")
    teller.say(f"Release package   {shown}/releases/{story.request}/manifest.json")
    teller.say(f"Audit log         .venv/bin/phems audit verify {shown}/audit.jsonl")
    if not keep:
        teller.say("Open the UI       .venv/bin/phems demo --keep")
        return
    password = secrets.token_urlsafe(12)
    node.act("operator", "user", "password", "ana", "--password-stdin", typed=password)
    teller.say(f"Open the UI       {node.url}  as ana, with the password {password}")
    teller.say("The node runs until you press Ctrl-C.")


def _check_package(story: Story, package: Path, reviewed: dict[str, str]) -> None:
    manifest = story.wait_for("the publisher", (package / "manifest.json").exists, RUN_SECONDS)
    found = (
        {path.name: _sha256(path) for path in package.rglob("*") if path.name in reviewed} if manifest else {}
    )
    story.teller.claim(
        f"two votes, and the package {package.name} is published with exactly the reviewed bytes",
        holds=bool(found) and found == reviewed,
        seen=found,
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shown_path(folder: Path) -> str:
    """A folder as one would type it from here."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)
