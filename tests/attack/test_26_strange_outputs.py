"""Case 26: `../`, symlink, zip bomb, HTML or script, pipe, hard link, giant: refused or inert."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacked_node import ANA, INTRUDER, AttackedNode

from phems.errors import InputError, IntegrityError, PhemsError, RefusedError
from phems.services.release_files import Choice
from phems.services.releases import Case

CASE = Case(context="A table of counts.", controls="No counts below ten.")


def registered(site: AttackedNode, run_id: str) -> list[str]:
    """The names of the outputs that are on record for a run."""
    outputs = site.serving.node.outputs.list(ANA, INTRUDER, run_id)
    return [output.path.removeprefix(f"outputs/{run_id}/") for output in outputs]


def run_probe(site: AttackedNode, job: str, **config: str) -> tuple[str, dict[str, str]]:
    """Run a job of the intruder; its id and what it found."""
    run_config = {"ops": {job.removesuffix("_job"): {"config": config}}} if config else {}
    run_id = site.launch(INTRUDER, job, config=run_config)
    found = site.findings(run_id)
    assert site.run(run_id).is_success, site.log(run_id)
    return run_id, found


def test_only_a_plain_file_of_the_run_is_put_on_record(site: AttackedNode) -> None:
    """Otherwise a release could carry a file that the step could only point at."""
    other = site.launch(INTRUDER, "plain_job")
    site.wait(other)
    run_id, found = run_probe(site, "register_strange_paths_job", other_run=other)
    assert found.pop("honest").startswith("got: ")
    for name, outcome in found.items():
        assert outcome.startswith(("InputError", "IntegrityError")), f"{name}: {outcome}"
        assert "Remedy" in outcome or "Why" in outcome, f"{name}: {outcome}"
    assert registered(site, run_id) == ["honest.csv"]


def test_a_giant_does_not_come_about(site: AttackedNode) -> None:
    """Otherwise one step could fill the node's disk. The kernel's limit is the project's file size."""
    _, found = run_probe(site, "write_giant_job")
    assert "File too large" in found["sparse"]
    assert "File too large" in found["plain"]


def test_a_giant_from_elsewhere_is_refused_unread(site: AttackedNode) -> None:
    """Otherwise hashing two gigabytes of nothing would keep the node busy."""
    run_id = site.launch(INTRUDER, "plain_job")
    site.wait(run_id)
    path = site.data / "artifacts" / INTRUDER / "outputs" / run_id / "giant.csv"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(InputError) as refused:
        site.serving.node.outputs.register_output(INTRUDER, run_id, "plain", f"outputs/{run_id}/giant.csv")
    path.unlink()
    assert "giant.csv" in refused.value.what
    assert "2,147,483,648 bytes" in refused.value.why
    assert registered(site, run_id) == []


def test_what_runs_when_it_is_opened_does_not_leave(site: AttackedNode) -> None:
    """Otherwise the first to open a released file would run project code, outside every wall."""
    run_id, found = run_probe(site, "write_dangerous_files_job")
    before = site.serving.node.releases.list(ANA, INTRUDER)
    for name in found:
        with pytest.raises(RefusedError) as refused:
            site.serving.node.releases.request(ANA, INTRUDER, Choice(run_id, (name,)), CASE)
        assert name in refused.value.what
        assert refused.value.why
        assert refused.value.remedy
    assert site.serving.node.releases.list(ANA, INTRUDER) == before
    frozen = site.data / "releases"
    assert [path for path in frozen.rglob("*") if path.is_file() and path.name in found] == []
    assert all(output.media_type != "text/html" for output in site.serving.node.outputs.list(ANA, INTRUDER))


def test_one_bad_file_keeps_the_others_in(site: AttackedNode) -> None:
    """Otherwise a bad file could ride along in the middle of good ones."""
    run_id, found = run_probe(site, "write_dangerous_files_job")
    with pytest.raises(PhemsError):
        site.serving.node.releases.request(ANA, INTRUDER, Choice(run_id, tuple(found)), CASE)
    assert not [view for view in site.serving.node.releases.list(ANA, INTRUDER) if run_id in str(view)]


def test_a_file_with_a_second_name_cannot_be_swapped(site: AttackedNode) -> None:
    """Otherwise checkers would vote on one table and release another."""
    run_id, found = run_probe(site, "swap_through_a_link_job")
    with pytest.raises(IntegrityError) as refused:
        site.serving.node.releases.request(ANA, INTRUDER, Choice(run_id, ("table.csv",)), CASE)
    assert found["sha256"] in refused.value.why


def test_a_link_put_there_between_registration_and_request(site: AttackedNode) -> None:
    """Otherwise the request would follow where the step points after it was looked at."""
    run_id, _ = run_probe(site, "register_strange_paths_job", other_run="x")
    place = site.data / "artifacts" / INTRUDER / "outputs" / run_id / "honest.csv"
    place.unlink()
    place.symlink_to(Path(site.folder) / "sources" / "patients.csv")
    with pytest.raises(InputError, match=r"honest\.csv"):
        site.serving.node.releases.request(ANA, INTRUDER, Choice(run_id, ("honest.csv",)), CASE)
