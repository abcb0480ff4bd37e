"""A project whose steps pass on values and register outputs, for machines that share a bucket."""

import contextlib
import os
import time
from pathlib import Path

import dagster as dg

from phems.contract.runtime import current_runtime
from phems.errors import PhemsError
from phems.project import ProjectIOManager, outputs

LONGEST_WAIT = 120.0
LARGE = 40 * 1024 * 1024


def artifacts() -> Path:
    """The folder that the test sees too."""
    runtime = current_runtime()
    assert runtime is not None
    return runtime.artifact_dir


@dg.asset(key_prefix="sharing")
def small() -> list[int]:
    return [1, 2, 3]


@dg.asset(key_prefix="sharing")
def large(small: list[int]) -> bytes:
    return bytes(small) + os.urandom(LARGE)


@dg.asset(key_prefix="sharing")
def measured(context: dg.AssetExecutionContext, large: bytes) -> int:
    outputs.write_text(context, "size.txt", f"{len(large)} bytes\n")
    return len(large)


@dg.op
def gives() -> str:
    (artifacts() / "began").touch()
    deadline = time.monotonic() + LONGEST_WAIT
    while not (artifacts() / "go").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return "given once"


@dg.op
def takes(context: dg.OpExecutionContext, given: str) -> None:
    outputs.write_text(context, "given.txt", given)


@dg.job
def handing_over() -> None:
    takes(gives())


@dg.op
def looks_around() -> None:
    """Whatever a step could find of the bucket: its address, its keys, a place to write for others."""
    runtime = current_runtime()
    assert runtime is not None
    found = [name for name in os.environ if name.startswith("AWS") or "S3" in name]
    with contextlib.suppress(OSError):
        Path("/fetched/planted").write_text("for others")
        found.append("/fetched can be written")
    assert runtime.values is not None
    for path in ("../another/io/x", "outputs/x", "io/../../x", "/etc/passwd", "io/link"):
        (artifacts() / "io").mkdir(exist_ok=True)
        if not (artifacts() / "io/link").is_symlink():
            (artifacts() / "io/link").symlink_to("/etc/passwd")
        with contextlib.suppress(PhemsError):
            runtime.values.keep(path)
            found.append(f"{path} was kept")
    assert not found, found


@dg.job
def looking_around() -> None:
    looks_around()


defs = dg.Definitions(
    assets=[small, large, measured],
    jobs=[handing_over, looking_around, dg.define_asset_job("all_assets", selection="*")],
    resources={"io_manager": ProjectIOManager()},
)
