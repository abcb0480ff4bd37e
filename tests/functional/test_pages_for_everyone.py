"""Pages can be read by everyone: on a telephone, in the dark, with a screen reader (WCAG 2.1 AA, by axe)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.functional.conftest import HEART, Hospital
from tests.functional.people import Person

PAGES: Sequence[tuple[str, str]] = (
    ("ana", "/"),
    ("ana", "/projects"),
    ("ana", f"/projects/{HEART}"),
    ("ana", f"/projects/{HEART}/runs"),
    ("ana", f"/projects/{HEART}/runs/RUN"),
    ("ana", f"/projects/{HEART}/runs/RUN/release"),
    ("ana", f"/projects/{HEART}/lineage/RUN"),
    ("ana", f"/projects/{HEART}/releases"),
    ("ana", f"/projects/{HEART}/capsules"),
    ("ana", f"/projects/{HEART}/code"),
    ("ana", f"/projects/{HEART}/code/COMMIT?path=src/heart_attack/study.py"),
    ("ana", "/policies"),
    ("ana", "/permissions"),
    ("ana", "/account"),
    ("ana", "/projects/no-such-project"),
    ("uma", "/audit"),
    ("omar", "/health"),
    ("omar", "/people"),
    ("omar", "/people/ana"),
)
# For the documents: what Auditor and Operator see first (further down are paths of the tests' machine).
PICTURES = {"/audit": "audit", "/health": "health"}


def test_pages_keep_to_wcag_aa_and_to_a_telephones_width(
    hospital: Hospital, person: Callable[..., Person]
) -> None:
    """Otherwise some of those who must decide could not read what about."""
    people: dict[str, Person] = {}
    problems = []
    for who, template in PAGES:
        if who not in people:
            people[who] = person(who)
        people[who].open(template.replace("RUN", hospital.analysis).replace("COMMIT", hospital.commit))
        if template in PICTURES:
            people[who].picture(PICTURES[template], whole=False)
        problems += people[who].barriers()
    assert problems == []
