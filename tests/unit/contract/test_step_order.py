"""Orders are documents: what the node writes is what the project side reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.contract.step_order import HostOrder, ResourceLimits, StepOrder

LIMITS = st.builds(ResourceLimits, *[st.integers(min_value=0, max_value=2**62)] * 4)
TEXT = st.text(max_size=30)


@given(st.builds(StepOrder, TEXT, TEXT, TEXT, st.integers(1, 9), TEXT, TEXT, LIMITS))
def test_a_step_s_order_survives(order: StepOrder) -> None:
    """Otherwise a step runs with another's values or limits."""
    assert StepOrder.from_json(order.to_json()) == order


@given(LIMITS, st.dictionaries(TEXT, TEXT, max_size=3), TEXT)
def test_a_host_s_order_survives(limits: ResourceLimits, variables: dict[str, str], text: str) -> None:
    """Otherwise a host serves another project's code or data."""
    order = HostOrder(
        project=text,
        location_name="l",
        code_digest="d",
        module="m",
        root="/code",
        capability_file="/c",
        storage_socket="/s",
        code_server_socket="/g",
        artifact_dir="/a",
        data_dir="/d",
        sources={"whas": {"path": text, "format": "csv"}},
        limits=limits,
        asset_prefix="p",
        variables=variables,
        fetched_dir=None if text else "/f",
    )
    assert HostOrder.from_json(order.to_json()) == order


@pytest.mark.parametrize("kind", [StepOrder, HostOrder])
def test_an_order_with_a_field_that_nobody_knows_is_an_error(kind: type[StepOrder]) -> None:
    """Otherwise a limit that the other side does not know is dropped in silence."""
    with pytest.raises(TypeError):
        kind.from_json('{"limits": {"memory":1,"cpu_seconds":1,"processes":1,"file_size":1}, "more": 1}')
