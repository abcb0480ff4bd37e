"""The check of declarations: what nobody declared, and what no machine can read, a person looks at.

A declared table must have the columns that its declaration names; what is in them is for the checks
of tables. Nothing passes here without a declaration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.domain.outputs import extension_of
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.table_batches import is_table, open_table

_UNREADABLE = {
    **dict.fromkeys(("png", "jpg", "jpeg", "gif"), "a picture"),
    "pdf": "a page",
}
# Results of a model are few numbers; what else JSON holds, its declaration cannot say.
_MODEL_KINDS = frozenset({"regression", "survival"})
_MODEL_TYPES = frozenset({"json", "onnx", "safetensors"})


class Declared:
    """Files are declared, and are what their declaration says."""

    name = "declaration"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:  # noqa: ARG002
        """See `FileCheck`."""
        extension = extension_of(file.path)
        if extension in _UNREADABLE:
            words = f"no machine can read {_UNREADABLE[extension]}: a person must look"
            return [finding(self, file.path, Verdict.REVIEW, words)]
        if file.declaration is None:
            words = "nothing is declared of this file: a person must look"
            remedy = "write it with outputs.write_table(..., disclosure=...) or outputs.declare(...)"
            return [finding(self, file.path, Verdict.REVIEW, words, remedy=remedy)]
        if is_table(file):
            return [self._on_table(file, file.declaration)]
        if extension in _MODEL_TYPES and _says_what_model(file.declaration):
            return [finding(self, file.path, Verdict.PASS, "declared as results of a model")]
        words = "the declaration does not say what could be checked: a person must look"
        return [finding(self, file.path, Verdict.REVIEW, words)]

    def _on_table(self, file: CheckedFile, declaration: Mapping[str, Any]) -> Finding:
        columns = open_table(file).names
        named = _columns_of(declaration)
        missing = sorted(named - set(columns))
        if missing:
            words = "the declaration names columns that the table does not have"
            return finding(self, file.path, Verdict.FAIL, words, missing=missing)
        kind = declaration.get("kind", "other")
        if kind == "other" or not (named or _says_what_model(declaration)):
            words = "the declaration does not say what could be checked: a person must look"
            return finding(self, file.path, Verdict.REVIEW, words, kind=kind)
        unnamed = [column for column in columns if column not in named]
        return finding(
            self, file.path, Verdict.PASS, f"declared as a {kind} table", kind=kind, other_columns=unnamed
        )


def _columns_of(declaration: Mapping[str, Any]) -> set[str]:
    """Every column that a declaration names."""
    contributors = declaration.get("contributors") or {}
    single = (declaration.get("count"), declaration.get("value"), contributors.get("count"))
    return {
        *declaration.get("dimensions", ()),
        *contributors.get("largest", ()),
        *(column for column in single if column),
    }


def _says_what_model(declaration: Mapping[str, Any]) -> bool:
    model = declaration.get("model") or {}
    return declaration.get("kind") in _MODEL_KINDS and {"parameters", "observations"} <= set(model)


CHECK = Declared()
