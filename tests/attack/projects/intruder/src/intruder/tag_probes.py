"""Jobs that name what only the node may name, and jobs that end badly."""

import dagster as dg

PRIVILEGED = {
    "pod_spec_config": {"host_pid": True},
    "container_config": {"security_context": {"privileged": True}},
}


@dg.op(tags={"dagster-k8s/config": PRIVILEGED})
def privileged() -> None:
    """An op that asks for a pod of its own taste."""


@dg.op
def plain() -> None:
    """Nothing special."""


@dg.op
def fails() -> None:
    """Fails, so that it can be executed again."""
    raise dg.Failure("as planned")


@dg.job
def privileged_op_job() -> None:
    """The tag on the op."""
    privileged()


@dg.job(tags={"dagster-k8s/config": PRIVILEGED})
def privileged_job() -> None:
    """The tag on the job."""
    plain()


@dg.job(tags={"phems/project": "ward"})
def spoofed_job() -> None:
    """The node's own stamp, on the job."""
    plain()


@dg.job
def plain_job() -> None:
    """A job like any other."""
    plain()


@dg.job
def failing_job() -> None:
    """A job that can be executed again."""
    fails()


JOBS = [privileged_op_job, privileged_job, spoofed_job, plain_job, failing_job]
