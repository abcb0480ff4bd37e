"""A data source that is missing, or is no Parquet, CSV or DuckDB file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.nodes import RunningNode, temporary_site
from typed_commands import Phems, write_spec

BAD = {
    ("parquet", "cohort.parquet"): b"PAR1 but not really",
    ("duckdb", "cohort.duckdb"): b"SQLite format 3\0" + b"\0" * 4096,
    ("csv", "cohort.csv"): b"\x00\x01\x02\xff\xfe",
}


@pytest.mark.parametrize("kind", ["parquet", "duckdb", "csv"])
def test_a_source_that_is_missing(phems: Phems, folder: Path, kind: str) -> None:
    """Otherwise the first run would find it out, in the night."""
    sources = {"cohort": {"path": f"absent.{kind}", "format": kind}}
    write_spec(folder / "node", data_sources=sources)
    phems(folder / "node", "check").is_clear(2, "data_sources.cohort.path", f"absent.{kind}")


@pytest.mark.parametrize(("kind", "name"), BAD)
def test_a_source_that_is_something_else(phems: Phems, folder: Path, kind: str, name: str) -> None:
    """Otherwise a renamed file would fail in the middle of an analysis."""
    write_spec(folder / "node", data_sources={"cohort": {"path": name, "format": kind}})
    (folder / "node" / name).write_bytes(BAD[kind, name])
    phems(folder / "node", "check").is_clear(2, "data_sources.cohort", name)


READS = """
import dagster as dg
from phems.project import DataSource


@dg.asset(key_prefix="small")
def table(cohort: DataSource) -> int:
    return len(cohort.pandas())


defs = dg.Definitions(assets=[table], resources={"cohort": DataSource(source="cohort")})
"""


def test_a_source_that_goes_or_breaks_while_the_node_runs() -> None:
    """Otherwise a run would fail with the words of a library, which name no source and no remedy."""
    with temporary_site() as site:
        file = site.folder / "cohort.parquet"
        file.write_bytes(b"PAR1 but not really")
        site.settings["data_sources"] = {"cohort": {"path": "../cohort.parquet", "format": "parquet"}}
        site.add_project(
            "small",
            {"src/small/definitions.py": READS, "src/small/__init__.py": ""},
            data_grants=[{"source": "cohort"}],
        )
        node = RunningNode(site).start()
        try:
            node.approve("small")
            node.ready("small")
            run = node.run("__ASSET_JOB", project="small", assets=["small/table"])
            story = node.story(run.run_id)
            assert not run.is_success
            assert "cohort" in story
            assert "Remedy" in story, story
            assert not list(node.serving.paths.artifacts("small").rglob("*table*"))
        finally:
            node.stop()
