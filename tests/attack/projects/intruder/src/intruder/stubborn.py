"""A step that will not end: children in sessions of their own, orphans, signals ignored."""

import os
import signal
import time

import dagster as dg

from intruder import findings


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


@dg.op(config_schema={"marker": dg.Field(str, description="A number of seconds that marks its processes.")})
def stubborn(context: dg.OpExecutionContext) -> None:
    """Starts a child, a grandchild without a parent, and one in a session of its own; then waits."""
    marker = context.op_config["marker"]
    for generations in (1, 2, 3):
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for _ in range(generations - 1):
                if os.fork() != 0:
                    os._exit(0)
            _ignore_signals()
            os.execv("/usr/bin/sleep", ["sleep", marker])  # noqa: S606
    _ignore_signals()
    findings.tell({"pid": os.getpid()})
    while True:
        try:
            time.sleep(3600)
        except BaseException:  # noqa: S112
            continue


@dg.job
def stubborn_job() -> None:
    """See the op."""
    stubborn()


JOBS = [stubborn_job]
