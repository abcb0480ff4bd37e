"""Steps as processes: waiting, hiding, dying, printing; tests talk to them by files in the artifact area."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from phems.contract.runtime import current_runtime

LONGEST_WAIT = 60.0


def artifacts() -> Path:
    """The folder that the test sees too."""
    runtime = current_runtime()
    assert runtime is not None
    return runtime.artifact_dir


def wait_for_file(name: str) -> None:
    """Wait until the test writes a file."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not (artifacts() / name).exists():
        assert time.monotonic() < deadline, f"nobody wrote {name}"
        time.sleep(0.01)


def count(context: dg.OpExecutionContext) -> None:
    """Leave a line for every execution, so that a test can see a step that ran twice."""
    name = context.get_step_execution_context().step.key
    with (artifacts() / f"count-{context.run_id}").open("a") as file:
        file.write(name + "\n")


@dg.op
def counted(context: dg.OpExecutionContext) -> int:
    count(context)
    return 1


@dg.op
def waits(context: dg.OpExecutionContext, x: int) -> int:
    count(context)
    (artifacts() / f"waiting-{context.run_id}").write_text(str(os.getpid()))
    wait_for_file(f"go-{context.run_id}")
    return x


@dg.op
def counted_after(context: dg.OpExecutionContext, x: int) -> int:
    count(context)
    return x


@dg.job
def waiting() -> None:
    counted_after(waits(counted()))


@dg.op(out=dg.DynamicOut(int))
def parts_then_waits(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
    count(context)
    yield dg.DynamicOutput(1, mapping_key="first")
    (artifacts() / f"waiting-{context.run_id}").write_text("")
    wait_for_file(f"go-{context.run_id}")
    yield dg.DynamicOutput(2, mapping_key="second")


@dg.op
def collected(context: dg.OpExecutionContext, xs: list[int]) -> None:
    (artifacts() / f"collected-{context.run_id}").write_text(repr(sorted(xs)))


@dg.job
def waiting_dynamic() -> None:
    collected(parts_then_waits().map(counted_after).collect())


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def fails_then_waits(context: dg.OpExecutionContext) -> int:
    count(context)
    if context.retry_number == 0:
        raise ValueError("not yet")
    (artifacts() / f"waiting-{context.run_id}").write_text("")
    wait_for_file(f"go-{context.run_id}")
    return 1


@dg.job
def waiting_in_retry() -> None:
    counted_after(fails_then_waits())


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=3))
def works_in_a_while(context: dg.OpExecutionContext) -> int:
    count(context)
    if context.retry_number == 0:
        raise ValueError("not yet")
    return 1


@dg.job
def retrying_in_a_while() -> None:
    counted_after(works_in_a_while())


@dg.op
def hides(context: dg.OpExecutionContext) -> None:
    """Start processes that leave the session and the parent and will not end when asked."""
    seconds = 100000 + int(context.run_id[:4], 16)
    script = f"trap '' TERM; (trap '' TERM; setsid sleep {seconds}.1 &) ; exec sleep {seconds}.2"
    subprocess.Popen(["sh", "-c", script], start_new_session=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (artifacts() / f"waiting-{context.run_id}").write_text(str(seconds))
    wait_for_file(f"go-{context.run_id}")


@dg.job
def hiding() -> None:
    hides()


@dg.op
def leaves_a_child(context: dg.OpExecutionContext) -> None:
    """End well, but leave a process behind."""
    seconds = 200000 + int(context.run_id[:4], 16)
    subprocess.Popen(["sh", "-c", f"(setsid sleep {seconds} &)"], start_new_session=True)


@dg.job
def leaving() -> None:
    leaves_a_child()


@dg.op
def cleans_up(context: dg.OpExecutionContext) -> None:
    try:
        (artifacts() / f"waiting-{context.run_id}").write_text("")
        wait_for_file(f"go-{context.run_id}")
    finally:
        (artifacts() / f"cleaned-{context.run_id}").write_text("")


@dg.job
def cleaning() -> None:
    cleans_up()


def _exit() -> None:
    os._exit(3)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _memory() -> None:
    bytearray(1 << 34)


def _large_file() -> None:
    with Path("/tmp/large").open("wb") as file:
        file.truncate(1 << 40)


def _cpu() -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        pass


def _sys_exit() -> None:
    sys.exit(4)


def _recursion() -> None:
    _recursion()


WAYS = {f.__name__[1:]: f for f in (_exit, _kill, _memory, _large_file, _cpu, _sys_exit, _recursion)}


@dg.op(config_schema={"how": str})
def dies(context: dg.OpExecutionContext) -> int:
    WAYS[context.op_config["how"]]()
    return 1


@dg.job
def dying() -> None:
    counted_after(dies())


@dg.op
def prints(context: dg.OpExecutionContext) -> None:
    print("said to stdout")  # noqa: T201
    sys.stderr.write("said to stderr\n")
    subprocess.run(["sh", "-c", "echo said by a child"], check=True)
    context.log.warning("said to the log")


@dg.op
def prints_otherwise() -> None:
    print("said by another")  # noqa: T201


@dg.job
def printing() -> None:
    prints()
    prints_otherwise()


@dg.op(pool="shapes_pool", out=dg.Out(dg.Nothing))
def pooled() -> None:
    time.sleep(0.03)  # so that two at once would be seen


@dg.job
def in_pool() -> None:
    pooled()
    pooled.alias("pooled_too")()
    pooled.alias("pooled_as_well")()


@dg.op(pool="shapes_pool", retry_policy=dg.RetryPolicy(max_retries=1))
def pooled_retry(context: dg.OpExecutionContext) -> None:
    if context.retry_number == 0:
        raise ValueError("not yet")


@dg.job
def retry_in_pool() -> None:
    pooled_retry()
    pooled()


@dg.op
def breaks_until_told(context: dg.OpExecutionContext, x: int) -> int:
    count(context)
    if not (artifacts() / f"mended-{context.run.root_run_id or context.run_id}").exists():
        raise ValueError("not mended yet")
    return x + 1


@dg.op
def remembers(context: dg.OpExecutionContext, x: int, y: int) -> None:
    count(context)
    (artifacts() / f"remembered-{context.run_id}").write_text(f"{x} {y}")


@dg.job
def mendable() -> None:
    start = counted()
    remembers(breaks_until_told(start), counted_after(start))


@dg.op(out=dg.DynamicOut(int))
def counted_parts(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
    count(context)
    yield dg.DynamicOutput(1, mapping_key="a")
    yield dg.DynamicOutput(2, mapping_key="b")


@dg.op
def breaks_on_two(context: dg.OpExecutionContext, x: int) -> int:
    count(context)
    if x == 2 and not (artifacts() / f"mended-{context.run.root_run_id or context.run_id}").exists():
        raise ValueError("not mended yet")
    return x


@dg.job
def mendable_dynamic() -> None:
    collected(counted_parts().map(breaks_on_two).collect())


@dg.op
def fills(context: dg.OpExecutionContext) -> bytes:
    """Give three megabytes to keep."""
    count(context)
    return os.urandom(3 << 20)


@dg.op
def weighs(context: dg.OpExecutionContext, x: bytes) -> None:
    count(context)
    (artifacts() / f"weighed-{context.run_id}").write_text(str(len(x)))


@dg.job
def filling() -> None:
    weighs(fills())


jobs = [
    filling,
    retrying_in_a_while,
    waiting,
    waiting_dynamic,
    waiting_in_retry,
    hiding,
    leaving,
    cleaning,
    dying,
    printing,
    in_pool,
    retry_in_pool,
    mendable,
    mendable_dynamic,
]
