"""Case 36, in Dagster's pages: with no room for the audit log, or no way to it, no mutation is done."""

from __future__ import annotations

from typing import Any

from attacked_node import until
from gateway_node import LAUNCH, OWN, GatewayNode, launching
from gateway_rows import rows
from test_36_audit_store_full import OUTAGES, table_without_room

from phems.adapters.signing import signature_matches
from phems.domain.actors import Actor
from phems.services.audit_export import verify_lines

LIMIT = "mutation($k: String!) { setConcurrencyLimit(concurrencyKey: $k, limit: 1) }"
CANCEL = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
STOP = "mutation($id: String!) { stopSensor(id: $id) { __typename } }"
RELOAD = "mutation { reloadWorkspace { __typename } }"
SAID = "unavailable"
CANCELLED = {"CANCELING", "CANCELED"}


def acts(node: GatewayNode) -> list[tuple[str, str, dict[str, Any]]]:
    (state,) = [
        state
        for state in node.instance.all_instigator_state()
        if state.instigator_name == f"{node.own.prefix}_sensor"
    ]
    return [
        ("ana", LAUNCH, {"params": launching(OWN, f"{node.own.prefix}_job")}),
        ("ana", CANCEL, {"id": node.own.waiting}),
        ("ana", STOP, {"id": f"{state.instigator_origin_id}:{state.selector_id}"}),
        ("olga", LIMIT, {"k": "unrecorded"}),
        ("olga", RELOAD, {}),
    ]


def test_a_full_log_lets_no_mutation_through(gateway_node: GatewayNode) -> None:
    """Otherwise filling a disk would be a way to act in Dagster without a trace. Looking on goes on."""
    node = gateway_node
    before = rows(node)
    with table_without_room(node):  # type: ignore[arg-type]
        for name, query, variables in acts(node):
            answer = node.ask(name, query, **variables)
            assert answer["data"] is None, query
            assert answer["errors"][0]["extensions"]["phems"]["kind"] == SAID
        assert node.ask("ana", "{ version }")["data"]
    assert rows(node) == before
    assert node.status(node.own.waiting) not in CANCELLED
    assert node.ask("olga", LIMIT, k="recorded")["data"] == {"setConcurrencyLimit": True}
    check_whole(node)


def test_with_the_store_down_nothing_is_done_and_later_there_is_no_gap(gateway_node: GatewayNode) -> None:
    """The database is away: whoever asks is refused, and the log is whole once it is back."""
    node = gateway_node
    told = acts(node)
    with OUTAGES["the database is down"](node):  # type: ignore[arg-type]
        for name, query, variables in told:
            answer = node.post(name, {"query": query, "variables": variables})
            assert answer.status >= 500 or not answer.json().get("data"), query
    until(lambda: node.post("olga", {"query": "{ version }"}).status == 200, 60, "the node answers again")
    names = {entry.subject for entry in entries(node)}
    assert "unrecorded" not in names
    assert node.status(node.own.waiting) not in CANCELLED
    check_whole(node)


def entries(node: GatewayNode) -> list[Any]:
    with node.serving.node.governance.transaction() as work:
        return list(work.audit.entries())


def check_whole(node: GatewayNode) -> None:
    """No gap, and an export that convinces somebody else."""
    log = node.serving.node.audit
    lines = list(log.export(Actor("aud")))
    assert verify_lines(lambda: lines, check=signature_matches, trusted=log.key).finding is None
    numbers = [entry.seq for entry in entries(node)]
    assert numbers == list(range(1, len(numbers) + 1))
