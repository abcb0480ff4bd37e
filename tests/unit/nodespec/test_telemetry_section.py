"""Where traces go, as node.yaml says it: an address in full, and no secret in the file."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from phems.nodespec.telemetry import Telemetry


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:4318/v1/traces", "https://otel.hospital.example", "http://[::1]:4318/v1/traces"],
)
def test_a_collector_is_an_address(address: str) -> None:
    assert Telemetry(otlp=address).otlp == address


@pytest.mark.parametrize(
    "address",
    ["collector:4318", "grpc://otel.example", "http://user:password@otel.example/", "http://otel/?key=1"],
)
def test_anything_else_is_told(address: str) -> None:
    with pytest.raises(ValidationError, match="is no address of a collector"):
        Telemetry(otlp=address)
