"""Results of ACRO (0.4 and later) beside the files that they are about.

ACRO checks outputs while they are made (https://github.com/AI-SDC/ACRO). It ran in project code: what it
says is the author's word with the reasons written down, and no more than that; our own checks look
at the same files. `results.json` has `version` and `results`: of each output its `status` (pass, fail or
review), `summary`, `files` and `exception`. In its federated mode ACRO checks nothing: it writes
`evidence.json` for a trusted aggregator, and says so in `config.json`. That, and every status that is
missing or unknown, is unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding

_MOST_BYTES = 32 << 20
_LONGEST_SUMMARY = 500
_OLDEST = (0, 4)
_RESULTS, _EVIDENCE, _CONFIG = "results.json", "evidence.json", "config.json"

# ACRO's setting -> the policy's threshold, what it is multiplied by, and whether more of it is stricter.
_SETTINGS: Mapping[str, tuple[str, float, bool]] = {
    "safe_threshold": ("small_cell", 1, True),
    "survival_safe_threshold": ("small_cell", 1, True),
    "safe_dof_threshold": ("residual_dof", 1, True),
    "safe_nk_n": ("dominance_n", 1, True),
    "safe_nk_k": ("dominance_k", 100, False),
    "safe_pratio_p": ("p_ratio", 100, True),
}


class AcroResults:
    """What ACRO said of the files of a request."""

    name = "acro"
    version = "1"

    def check_request(self, context: CheckContext) -> Iterable[Finding]:
        """See `RequestCheck`."""
        files = (*context.order.files, *context.order.supporting)
        for file in files:
            base = PurePosixPath(file.path).name
            if base not in {_RESULTS, _EVIDENCE}:
                continue
            content = _read(file)
            if base == _EVIDENCE and isinstance(content, Mapping) and "outputs" in content:
                words = "ACRO ran in federated mode: it collected evidence and checked nothing"
                yield finding(self, file.path, Verdict.REVIEW, words, version=str(content.get("version")))
            elif base == _RESULTS and isinstance(content, Mapping) and "results" in content:
                folder = {
                    PurePosixPath(other.path).name: other
                    for other in files
                    if PurePosixPath(other.path).parent == PurePosixPath(file.path).parent
                }
                yield from self._on_results(file, content, folder, context)

    def _on_results(
        self,
        file: CheckedFile,
        content: Mapping[str, Any],
        folder: Mapping[str, CheckedFile],
        context: CheckContext,
    ) -> Iterator[Finding]:
        config = _read(folder[_CONFIG]) if _CONFIG in folder else {}
        unchecked = _why_unchecked(content, config if isinstance(config, Mapping) else {})
        if unchecked:
            yield finding(self, file.path, Verdict.REVIEW, f"nothing is checked: {unchecked}")
        weaker = _weaker(config, context.thresholds)
        if weaker:
            words = "ACRO was set up with weaker thresholds than the policy's"
            yield finding(self, file.path, Verdict.REVIEW, words, settings=weaker)
        records = content["results"]
        for name, record in records.items() if isinstance(records, Mapping) else ():
            verdict, words = (Verdict.REVIEW, f"unchecked: {unchecked}") if unchecked else verdict_of(record)
            evidence = _evidence(name, record)
            yield finding(self, file.path, verdict, f"output {str(name)[:100]!r}: {words}", **evidence)
            for other in _files_of(record, folder):
                yield finding(self, other.path, verdict, words, **evidence, results=file.path)


def verdict_of(record: Any) -> tuple[Verdict, str]:
    """What ACRO's word on one output amounts to."""
    status = record.get("status") if isinstance(record, Mapping) else None
    if not isinstance(status, str) or status not in set(Verdict):
        return Verdict.REVIEW, f"ACRO's status is {str(status)[:40]!r}: unchecked"
    if record.get("federated"):
        return Verdict.REVIEW, "ACRO's result is a federated one: unchecked"
    asked = "; its author asks for an exception" if record.get("exception") else ""
    return Verdict(status), f"ACRO, run by the project, said {status}{asked}"


def _why_unchecked(content: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    if content.get("federated") or config.get("federated"):
        return "ACRO ran in federated mode"
    version = str(content.get("version", ""))
    numbers = version.split(".")[:2]
    if not all(part.isdigit() for part in numbers) or tuple(map(int, numbers)) < _OLDEST:
        return f"results of ACRO {version[:20]!r} are not known here (0.4 and later are)"
    return ""


def _weaker(config: Any, thresholds: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for setting, (threshold, factor, more_is_stricter) in _SETTINGS.items():
        value = config.get(setting) if isinstance(config, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            ours, theirs = thresholds[threshold], round(value * factor, 6)
            if theirs < ours if more_is_stricter else theirs > ours:
                found.append({"setting": setting, "ACRO": value, threshold: ours})
    return found


def _evidence(name: str, record: Any) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        return {"output": str(name)[:100]}
    return {
        "output": str(name)[:100],
        "type": str(record.get("type"))[:100],
        "summary": str(record.get("summary"))[:_LONGEST_SUMMARY],
        "exception asked for": bool(record.get("exception")),
    }


def _files_of(record: Any, folder: Mapping[str, CheckedFile]) -> Iterator[CheckedFile]:
    """The files of the request that a record is about; ACRO names them without their folder."""
    listed = record.get("files") if isinstance(record, Mapping) else None
    for item in listed if isinstance(listed, list) else ():
        name = item.get("name") if isinstance(item, Mapping) else None
        if isinstance(name, str) and name in folder:
            yield folder[name]


def _read(file: CheckedFile) -> Any:
    """The JSON of a file; None when it is none, or too large to be looked at."""
    if file.place.stat().st_size > _MOST_BYTES:
        return None
    try:
        return json.loads(file.place.read_bytes())
    except (ValueError, RecursionError):
        return None


CHECK = AcroResults()
