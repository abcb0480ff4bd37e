"""What of MLflow is open, to whom: by the table alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.contract.mlflow import prefix_of
from phems.domain.mlflow_routes import ROUTES, access_to, is_file
from phems.domain.permissions import PERMISSIONS, READING
from phems.errors import InputError, PhemsError, RefusedError

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.mark.parametrize(
    ("method", "target", "verb", "steps"),
    [
        ("GET", "/", "mlflow.read", False),
        ("HEAD", "/health", "mlflow.read", True),
        ("POST", "/api/2.0/mlflow/runs/create", "mlflow.write", True),
        ("POST", "/ajax-api/3.0/mlflow/traces/search", "mlflow.read", True),
        ("GET", "/api/2.0/mlflow/logged-models/m-1", "mlflow.read", True),
        ("DELETE", "/api/2.0/mlflow/logged-models/m-1", "mlflow.write", False),
        ("PUT", f"{ARTIFACTS}/1/run/artifacts/a%20file.txt", "mlflow.write", True),
        ("GET", f"{ARTIFACTS}?path=1/run", "mlflow.read", True),
    ],
)
def test_what_experiments_need_is_open(method: str, target: str, verb: str, steps: bool) -> None:
    """Otherwise MLflow's client or its pages would not work."""
    found = access_to(method, target)
    assert (found.verb, found.steps) == (verb, steps)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/api/2.0/mlflow/webhooks"),
        ("POST", "/api/3.0/mlflow/gateway/secrets/create"),
        ("DELETE", f"{ARTIFACTS}/1/run/artifacts/model"),
        ("POST", "/api/3.0/mlflow/workspaces"),
        ("POST", "/gateway/chat/invocations"),
        ("PUT", "/api/2.0/mlflow/runs/create"),
        ("GET", "/api/2.0/mlflow/logged-models/m-1/none"),
        ("GET", f"{ARTIFACTS}//etc/passwd"),
    ],
)
def test_all_else_is_open_to_nobody(method: str, target: str) -> None:
    """Otherwise a part of MLflow would be open that nobody has looked at."""
    with pytest.raises(RefusedError):
        access_to(method, target)


@given(
    up=st.sampled_from(["..", "%2e%2e", "%2E.", "%252e%252e", ".", "..%5c", "a\\..", "%00"]),
    before=st.lists(st.sampled_from(["1", "run", "a b"]), max_size=3),
    after=st.sampled_from(["", "/x", "/etc/passwd"]),
    by_query=st.booleans(),
)
def test_no_path_climbs(up: str, before: list[str], after: str, by_query: bool) -> None:
    """Otherwise an artifact's path would lead out of the project's area."""
    path = "/".join([*before, up]) + after
    target = f"/get-artifact?run_id=1&path={path}" if by_query else f"{ARTIFACTS}/{path}"
    with pytest.raises(PhemsError) as error:
        access_to("GET", target)
    assert isinstance(error.value, InputError)


def test_every_row_is_of_the_table_of_permissions() -> None:
    """Otherwise a route would be open by a verb that no role has; and what reads by one that writes."""
    accesses = [(method, access) for methods in ROUTES.values() for method, access in methods.items()]
    assert {access.verb for _, access in accesses} == {"mlflow.read", "mlflow.write"} <= set(PERMISSIONS)
    assert all(access.verb in READING for method, access in accesses if method == "GET")
    assert all(
        access.verb not in READING for method, access in accesses if method in {"PUT", "PATCH", "DELETE"}
    )
    assert not any(access.steps for method, access in accesses if method == "DELETE")


def test_files_are_told_from_pages() -> None:
    """Otherwise a browser would run HTML that project code wrote."""
    assert is_file("/get-artifact?path=report.html")
    assert is_file(f"/ajax-api/2.0{ARTIFACTS.removeprefix('/api/2.0')}/1/x.html")
    assert not is_file("/static-files/index.html?x=/get-artifact")
    assert prefix_of("lab") == "/mlflow/lab"
