"""The audit log as a timeline, newest first, with what is known of its integrity beside it.

Opening a page of entries is an entry itself. The badge is not: it shows none, so a page that stays open can
have it renewed as often as it likes; newer entries are counted there, and shown when they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from starlette.responses import PlainTextResponse, Response

from phems.domain.audit import Entry
from phems.errors import InputError
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.page import Page
from phems.services.ports.audit import EntryFilter

SHOWN = 50
RESULTS = ("done", "refused", "failed")
TEXTS: Mapping[str, str] = {"actor": "By", "action": "Act", "subject": "Subject"}
"""The filters that are typed, by their name in the address, as the page words them."""
CHOICES: Mapping[str, str] = {"project": "Project", "result": "Result"}
DAYS: Mapping[str, str] = {"from": "From", "to": "To"}
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as the timeline shows it."""

    entry: Entry
    at: datetime
    details: str

    @property
    def day(self) -> str:
        """The heading that it stands under."""
        return f"{self.at.day} {self.at:%B %Y}"


def _show(ask: Ask) -> Response:
    ask.check("audit.read")
    given = {name: ask.query(name).strip()[:LONGEST] for name in (*TEXTS, *CHOICES, *DAYS)}
    given = {name: value for name, value in given.items() if value}
    below = _number(ask.query("below"))
    found = ask.cases.audit.search(ask.person, _filter(given), count=SHOWN + 1, below=below)
    lines = [_line(entry) for entry in found[:SHOWN]]
    watched = ask.cases.audit_watch.look()
    return ask.answer(
        "audit.html",
        {
            "title": "Audit log",
            "days": [(day, list(of_day)) for day, of_day in groupby(lines, key=lambda line: line.day)],
            "fields": {name: given.get(name, "") for name in (*TEXTS, *CHOICES, *DAYS)},
            "chips": [(_label(name), value, _without(given, name)) for name, value in given.items()],
            "results": RESULTS,
            "known_projects": sorted(ask.settings.membership.projects),
            "older": address("audit", **given, below=lines[-1].entry.seq) if len(found) > SHOWN else None,
            "newest": address("audit", **given),
            "is_first": below is None,
            "watched": watched,
            "since": watched.entries,
        },
    )


def _show_verification(ask: Ask) -> Response:
    ask.check("audit.read")
    anchoring = ask.cases.anchoring
    return ask.answer(
        "audit_verification.html",
        {
            "title": "Verification of the audit log",
            "trail": [("Audit log", "/audit")],
            "watched": ask.cases.audit_watch.look(),
            "since": _number(ask.query("since")),
            "key": str(ask.cases.audit.key),
            "anchors": anchoring.states() if anchoring is not None else (),
        },
    )


def _verify(ask: Ask) -> str:
    ask.check("audit.read")
    ask.cases.audit_watch.verify(ask.person)
    return address("audit", "verification", done="audit.verify")


def _prove(ask: Ask) -> Response:
    ask.check("audit.read")
    seq = int(ask.name("entry"))
    return _text_file(str(ask.cases.audit.prove(ask.person, seq)), f"entry-{seq}.proof")


def _checkpoint(ask: Ask) -> Response:
    ask.check("audit.read")
    return _text_file(str(ask.cases.audit.checkpoint(ask.person)), "checkpoint.txt")


def _text_file(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return PlainTextResponse(text, headers=headers)


def _filter(given: Mapping[str, str]) -> EntryFilter:
    if given.get("result", RESULTS[0]) not in RESULTS:
        raise InputError("There is no such result.", why=f"the results are {', '.join(RESULTS)}.")
    until = _day(given.get("to"))
    return EntryFilter(
        actor=given.get("actor"),
        action=given.get("action"),
        subject=given.get("subject"),
        project=given.get("project"),
        result=given.get("result"),
        since=_day(given.get("from")),
        before=None if until is None else until + timedelta(days=1),
    )


def _day(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        return datetime.strptime(written, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(
            "This is not a day.",
            why=f"{written!r} is not of the form 2026-11-28.",
            remedy="Name it like that.",
        ) from error


def _number(written: str) -> int | None:
    # Fewer digits than the largest number has: what is longer is no entry of any log.
    is_number = written.isascii() and written.isdigit() and len(written) < len(str(2**63))
    return int(written) if is_number else None


def _label(name: str) -> str:
    return {**TEXTS, **CHOICES, **DAYS}[name]


def _without(given: Mapping[str, str], name: str) -> str:
    return address("audit", **{key: value for key, value in given.items() if key != name})


def _line(entry: Entry) -> Line:
    at = datetime.fromisoformat(entry.at)
    text = json.dumps(dict(entry.details), indent=2, ensure_ascii=False, sort_keys=True)
    return Line(entry, at, text if entry.details else "")


PAGES: Sequence[Page] = (
    Page("/audit", _show),
    Page("/audit/verification", _show_verification, {"verify": _verify}),
    Page("/audit/checkpoint", _checkpoint),
    Page("/audit/{entry:int}/proof", _prove),
)
