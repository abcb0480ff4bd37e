"""The check for free text: what somebody wrote by hand, in which anything may stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.cells import HEADER, cells, has_text
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.table_batches import is_table

# A cell of so many words, or so long, is a sentence and no category.
_SENTENCE = r"(?:\S+\s+){5,}\S+|.{100,}"
# A column of more different texts than this has categories for persons rather than for groups.
_MOST_CATEGORIES = 1000
_NUMBER = r"\s*[-+]?(?:\d+(?:[.,]\d*)*|[.,]\d+)?(?:e[-+]?\d+)?\s*%?\s*"
_NUMBER_OR_EMPTY = rf"(?i)^(?:{_NUMBER}|nan|na|inf|null|none)$"


class FreeText:
    """Tables hold categories and numbers; texts are for people to read."""

    name = "free-text"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:  # noqa: ARG002
        """See `FileCheck`."""
        import pyarrow.compute as pc

        if not has_text(file):
            return
        if not is_table(file):
            if file.path.endswith((".json", ".geojson")):
                return  # structured; what is in it, the declaration says
            yield finding(self, file.path, Verdict.REVIEW, "a text, which a person must read")
            return
        sentences: Counter[str] = Counter()
        categories: dict[str, set[int]] = {}
        for batch in cells(file):
            if batch.column == HEADER:
                continue
            sentences[batch.column] += pc.sum(pc.match_substring_regex(batch.texts, _SENTENCE)).as_py() or 0
            seen = categories.setdefault(batch.column, set())
            if len(seen) <= _MOST_CATEGORIES:
                words = pc.invert(pc.match_substring_regex(batch.texts, _NUMBER_OR_EMPTY))
                seen |= {hash(text.as_py()) for text in batch.texts.filter(words)[: _MOST_CATEGORIES + 1]}
        yield self._finding(file, +sentences, categories)

    def _finding(
        self, file: CheckedFile, sentences: Counter[str], categories: dict[str, set[int]]
    ) -> Finding:
        many = [column for column, seen in categories.items() if len(seen) > _MOST_CATEGORIES]
        if sentences or many:
            return finding(
                self,
                file.path,
                Verdict.REVIEW,
                "columns of free text, or of as many texts as persons",
                sentences=dict(sentences),
                many_different=many,
            )
        return finding(self, file.path, Verdict.PASS, "no column holds free text")


CHECK = FreeText()
