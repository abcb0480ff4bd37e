"""Case 11: to terminate, delete or re-execute another project's run, or to act on whatever else it has."""

from __future__ import annotations

import pytest
from gateway_node import OWN, GatewayNode
from gateway_questions import SCHEMA, absent, told, words
from gateway_rows import AUDIT, rows
from question_maker import QuestionMaker

assert SCHEMA.mutation_type
TERMINATE = """
mutation($id: String!, $how: TerminateRunPolicy) {
  terminateRun(runId: $id, terminatePolicy: $how) { __typename }
}
"""


@pytest.mark.parametrize("field", sorted(SCHEMA.mutation_type.fields))
def test_every_act_on_what_is_anothers_is_told_as_one_on_what_does_not_exist(
    gateway_node: GatewayNode, field: str
) -> None:
    """Otherwise an analyst stops, repeats or deletes a rival's work, or learns that it is there."""
    node = gateway_node
    before = rows(node, without=frozenset({AUDIT}))
    answers = []
    for traces in (node.other, absent()):
        names = words(node, traces)
        for only_required in (True, False):
            maker = QuestionMaker(SCHEMA, names)
            question = maker.question(field, only_required=only_required, kind="mutation")
            answers.append(told(node, "ana", question, {"prefix_": traces.prefix, **names}))
    assert answers[:2] == answers[2:]
    assert rows(node, without=frozenset({AUDIT})) == before


def test_its_own_people_may(gateway_node: GatewayNode) -> None:
    """Otherwise the test above passes because nobody may do anything."""
    node = gateway_node
    run_id = node.launch("ana", OWN, f"{node.own.prefix}_endless")
    node.wait_for(run_id, "STARTED")
    assert node.ask("ben", TERMINATE, id=run_id) == node.ask("ben", TERMINATE, id="no-such-run")
    assert node.status(run_id) == "STARTED"
    assert (
        node.ask("ana", TERMINATE, id=run_id)["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess"
    )
    node.wait_for(run_id, "CANCELED")
    node.own.run_ids.add(run_id)
