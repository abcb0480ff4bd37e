"""Run capsules that somebody has, or had, to decide on: what would run, in full, and the decision."""

from __future__ import annotations

from starlette.responses import Response

from phems.domain.capsule_approvals import CAPSULE_APPROVALS, CapsuleAction, CapsuleApproval
from phems.errors import InputError
from phems.gateway.site.ask import ACT_DONE, Ask, address
from phems.gateway.site.page import Page
from phems.gateway.site.projects import trail_of
from phems.gateway.site.run_words import capsule_parts
from phems.gateway.spelling import short

PAGE_OF_CAPSULES = 50


def _list(ask: Ask) -> Response:
    project = ask.known_project()
    found = ask.cases.capsules.list(ask.person, project)
    after = ask.query("after")
    names = [each.capsule for each in found]
    start = names.index(after) + 1 if after in names else 0
    shown = found[start : start + PAGE_OF_CAPSULES]
    more = len(found) > start + PAGE_OF_CAPSULES
    return ask.answer(
        "capsules.html",
        {
            "title": f"Run capsules of {project}",
            "trail": trail_of(project),
            "project": project,
            "capsules": shown,
            "older": address("projects", project, "capsules", after=shown[-1].capsule) if more else None,
            "asks": ask.cases.spec.policy_of(project).approve == "capsule",
        },
    )


def _show(ask: Ask) -> Response:
    project = ask.known_project()
    view = ask.cases.capsules.show(ask.person, project, ask.name("capsule"))
    approval = view.approval
    return ask.answer(
        "capsule.html",
        {
            "title": f"Run capsule {short(view.capsule)}",
            "trail": trail_of(project, ("Run capsules", address("projects", project, "capsules"))),
            "project": project,
            "view": view,
            "approval": approval,
            "parts": capsule_parts(view.document),
            "is_own": approval is not None and approval.asked_by == ask.person.name,
            "may_approve": _allows(ask, approval, CapsuleAction.APPROVE)
            and approval is not None
            and approval.asked_by != ask.person.name,
            "may_reject": _allows(ask, approval, CapsuleAction.REJECT),
            "may_revoke": _allows(ask, approval, CapsuleAction.REVOKE),
        },
    )


def _allows(ask: Ask, approval: CapsuleApproval | None, action: CapsuleAction) -> bool:
    verbs = {
        CapsuleAction.APPROVE: "capsule.approve",
        CapsuleAction.REJECT: "capsule.reject",
        CapsuleAction.REVOKE: "capsule.revoke",
    }
    return (
        approval is not None
        and CAPSULE_APPROVALS.allows(approval.state, action)
        and ask.may(verbs[action], approval.project)  # type: ignore[arg-type]
    )


def _approve(ask: Ask) -> str:
    """Let the capsule run so many times."""
    project, capsule = ask.known_project(), ask.name("capsule")
    days = ask.text("days")
    ask.cases.capsules.approve(
        ask.person,
        project,
        capsule,
        times=_whole(ask.text("times", "1"), "The number of runs"),
        days=_whole(days, "The number of days") if days else None,
    )
    return _back(ask, "capsule.approve")


def _reject(ask: Ask) -> str:
    """Refuse it."""
    ask.cases.capsules.reject(
        ask.person, ask.known_project(), ask.name("capsule"), reason=ask.text("reject-reason")
    )
    return _back(ask, "capsule.reject")


def _revoke(ask: Ask) -> str:
    """Take the approval back."""
    ask.cases.capsules.revoke(
        ask.person, ask.known_project(), ask.name("capsule"), reason=ask.text("revoke-reason")
    )
    return _back(ask, "capsule.revoke")


def _back(ask: Ask, done: str) -> str:
    return address("projects", ask.name("project"), "capsules", ask.name("capsule"), **{ACT_DONE: done})


def _whole(text: str, what: str) -> int:
    most_digits = 6
    if not (text.isascii() and text.isdigit() and int(text[:most_digits]) > 0 and len(text) <= most_digits):
        raise InputError(f"{what} must be a whole number.", remedy="Write it in digits, such as 7.")
    return int(text)


PAGES = (
    Page("/projects/{project}/capsules", _list),
    Page(
        "/projects/{project}/capsules/{capsule}",
        _show,
        {"approve": _approve, "reject": _reject, "revoke": _revoke},
    ),
)
