"""What a step tries by speaking the storage service's protocol by hand, with its own capability or others."""

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import time
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import AssetKey, AssetMaterialization, DagsterEvent
from dagster._core.events import (
    AssetMaterializationPlannedData,
    ComputeLogsCaptureData,
    EngineEventData,
    StepMaterializationData,
    StepSuccessData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.objects import StepFailureData

from intruder import findings
from phems.contract.frames import receive_frame, send_frame
from phems.host.storage_client import CODEC
from phems.host.storages import current_client

SOCKET = "/run/phems/storage.sock"
LOCATION_TOKEN = Path("/run/phems/capability/token")


def own_token() -> str:
    """The capability of this very step, out of the client's memory."""
    return current_client()._capability()


def connect(token: object) -> tuple[socket.socket, object]:
    """A connection of our own, and what the service says to the token."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(10)
    peer.connect(SOCKET)
    send_frame(peer, {"capability": token})
    return peer, receive_frame(peer)


def call(token: object, storage: str, method: str, *args: Any, **kwargs: Any) -> Any:
    """One call by hand; gives the answer as it comes."""
    peer, hello = connect(token)
    with contextlib.closing(peer):
        if "error" in hello:  # type: ignore[operator]
            return hello
        send_frame(
            peer,
            {
                "storage": storage,
                "method": method,
                "args": [CODEC.encode(arg) for arg in args],
                "kwargs": {key: CODEC.encode(value) for key, value in kwargs.items()},
            },
        )
        return receive_frame(peer)


DATA = {
    "ENGINE_EVENT": EngineEventData(),
    "STEP_SUCCESS": StepSuccessData(duration_ms=1.0),
    "STEP_FAILURE": StepFailureData(error=None, user_failure_data=None),
    "ASSET_MATERIALIZATION_PLANNED": AssetMaterializationPlannedData(AssetKey(["intruder", "thing"])),
}


def entry(run_id: str, kind: str, *, step: str | None = None, data: Any = None) -> Any:
    """An event log entry that says whatever is wanted."""
    job = "write_events_job"
    event = DagsterEvent(
        event_type_value=kind,
        job_name=job,
        step_key=step,
        message="forged",
        event_specific_data=data or DATA.get(kind),
    )
    return EventLogEntry(
        error_info=None,
        level=20,
        user_message="forged",
        run_id=run_id,
        timestamp=time.time(),
        step_key=step,
        job_name=job,
        dagster_event=event,
    )


def _logs(key: str = "write_events-1", url: str | None = None) -> ComputeLogsCaptureData:
    return ComputeLogsCaptureData(file_key=key, step_keys=["write_events"], external_url=url)


def store(token: object, *entries: Any, method: str = "store_event_batch") -> Any:
    """Write events by hand."""
    return call(token, "events", method, list(entries) if method == "store_event_batch" else entries[0])


@dg.op(config_schema={"victim_run": str})
def write_events(context: dg.OpExecutionContext) -> None:
    """Events of the run, of another step, of another run, of another project's asset; then it fails."""
    mine, victim = context.run_id, context.op_config["victim_run"]
    step = "write_events"
    ward = StepMaterializationData(AssetMaterialization(AssetKey(["ward", "patients"])))
    token, location = own_token(), LOCATION_TOKEN.read_text()
    findings.run(
        {
            "RUN_SUCCESS": lambda: store(token, entry(mine, "PIPELINE_SUCCESS")),
            "RUN_SUCCESS as the step": lambda: store(token, entry(mine, "PIPELINE_SUCCESS", step=step)),
            "RUN_SUCCESS one by one": lambda: store(
                token, entry(mine, "PIPELINE_SUCCESS"), method="store_event"
            ),
            "RUN_SUCCESS hidden in a batch": lambda: store(
                token, entry(mine, "ENGINE_EVENT"), entry(mine, "PIPELINE_SUCCESS")
            ),
            "RUN_CANCELED": lambda: store(token, entry(mine, "PIPELINE_CANCELED")),
            "RUN_FAILURE": lambda: store(token, entry(mine, "PIPELINE_FAILURE")),
            "RUN_DEQUEUED": lambda: store(token, entry(mine, "PIPELINE_DEQUEUED")),
            "another step's success": lambda: store(token, entry(mine, "STEP_SUCCESS", step="second")),
            "another step's failure": lambda: store(token, entry(mine, "STEP_FAILURE", step="second")),
            "a step skipped": lambda: store(token, entry(mine, "STEP_SKIPPED", step=step)),
            "a planned materialization": lambda: store(
                token, entry(mine, "ASSET_MATERIALIZATION_PLANNED", step=step)
            ),
            "another run's step": lambda: store(token, entry(victim, "STEP_SUCCESS", step="count")),
            "another run's log line": lambda: store(token, entry(victim, "ENGINE_EVENT")),
            "the ward's asset": lambda: store(
                token, entry(mine, "ASSET_MATERIALIZATION", step=step, data=ward)
            ),
            "its output elsewhere": lambda: store(
                token, entry(mine, "LOGS_CAPTURED", data=_logs(url="javascript:x"))
            ),
            "another's output": lambda: store(
                token, entry(mine, "LOGS_CAPTURED", data=_logs(key=f"../../{victim}/compute_logs/count-1"))
            ),
            "success with the location's capability": lambda: store(
                location, entry(mine, "STEP_SUCCESS", step=step)
            ),
            "a log line with the location's capability": lambda: store(location, entry(mine, "ENGINE_EVENT")),
            "an output with the location's capability": lambda: call(
                location, "outputs", "register", f"outputs/{mine}/x.txt"
            ),
            "handle_run_event": lambda: call(
                token, "runs", "handle_run_event", mine, DagsterEvent("PIPELINE_SUCCESS", "x")
            ),
            "through the instance": lambda: context.instance.report_dagster_event(
                DagsterEvent("PIPELINE_SUCCESS", "write_events_job", message="forged"), mine
            ),
        }
    )
    raise dg.Failure("The truth: this step failed.")


@dg.op(ins={"start": dg.In(dg.Nothing)})
def second() -> None:
    """Never runs when the first fails."""


@dg.job
def write_events_job() -> None:
    """See the op."""
    second(write_events())


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims, signature = token.split(".")
    pad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # noqa: E731
    return json.loads(pad(header)), json.loads(pad(claims)), signature


def _signed(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    text = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{text}.{_b64(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


@dg.op(config_schema={"stolen": dg.Field(str, default_value="")})
def forge_capabilities(context: dg.OpExecutionContext) -> None:
    """Tokens that nobody issued, and one that was issued to an attempt that has ended."""
    token = own_token()
    header, claims, signature = _parts(token)
    other = {**claims, "project": "ward"}
    unsigned = f"{_b64(json.dumps({'alg': 'none'}).encode())}.{_b64(json.dumps(other).encode())}."
    swapped = f"{token.split('.')[0]}.{_b64(json.dumps(other).encode())}.{signature}"
    late = {**claims, "expires_at": time.time() + 1e9, "exp": int(time.time() + 1e9)}

    def ask(forged: object) -> Any:
        return call(forged, "runs", "get_runs_count", None)

    findings.run(
        {
            "none": lambda: ask(""),
            "no string": lambda: ask({"kind": "step"}),
            "alg none": lambda: ask(unsigned),
            "another key": lambda: ask(_signed(header, other, b"k" * 32)),
            "an empty key": lambda: ask(_signed(header, other, b"")),
            "claims swapped": lambda: ask(swapped),
            "longer life": lambda: ask(_signed(header, late, b"k" * 32)),
            "stolen": lambda: ask(context.op_config["stolen"] or "x"),
            "own": lambda: ask(token),
            "no hello": lambda: _without_hello(),
            "huge frame": lambda: _huge_frame(),
            "private method": lambda: call(token, "runs", "_engine"),
            "dunder": lambda: call(token, "events", "__class__"),
            "another storage": lambda: call(token, "instance", "get_runs"),
            "arguments": lambda: call(token, "runs", "get_runs", filters=None, __class__=1),
            "unknown serdes": lambda: _raw(token, {"$": "serdes", "value": '{"__class__": "os.system"}'}),
            "pickle": lambda: _raw(token, {"$": "pickle", "value": "gASVHwAAAAAAAACMBXBvc2l4"}),
        }
    )


def _without_hello() -> object:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as peer:
        peer.settimeout(10)
        peer.connect(SOCKET)
        send_frame(peer, {"storage": "runs", "method": "get_runs", "args": [], "kwargs": {}})
        return receive_frame(peer)


def _huge_frame() -> object:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as peer:
        peer.settimeout(10)
        peer.connect(SOCKET)
        peer.sendall(b"\xff\xff\xff\xff")
        return peer.recv(16)


def _raw(token: str, argument: object) -> object:
    peer, _hello = connect(token)
    with contextlib.closing(peer):
        send_frame(peer, {"storage": "runs", "method": "get_runs", "args": [argument], "kwargs": {}})
        return receive_frame(peer)


@dg.job
def forge_capabilities_job() -> None:
    """See the op."""
    forge_capabilities()


@dg.op
def leak_capability() -> None:
    """Hands out its own capability, as a collaborator would: through a log."""
    findings.tell({"token": own_token(), "location": LOCATION_TOKEN.read_text()})


@dg.job
def leak_capability_job() -> None:
    """See the op."""
    leak_capability()


@dg.op(config_schema={"calls": int})
def ask_again_and_again(context: dg.OpExecutionContext) -> None:
    """Asks for what it may not have, many times, on connection after connection."""
    token = own_token()
    answers = [call(token, "runs", "delete_run", context.run_id) for _ in range(context.op_config["calls"])]
    findings.tell({"refused": sum("error" in answer for answer in answers)})


@dg.job
def ask_again_and_again_job() -> None:
    """See the op."""
    ask_again_and_again()


JOBS = [ask_again_and_again_job, write_events_job, forge_capabilities_job, leak_capability_job]
