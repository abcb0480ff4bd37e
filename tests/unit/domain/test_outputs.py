"""Outputs: their paths, sizes, types and contents."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.file_contents import ContentScan, TypeRule
from phems.domain.outputs import (
    check_output_of_run,
    check_output_path,
    check_output_size,
    extension_of,
    is_of_model,
    media_type_of,
    name_of,
)
from phems.errors import InputError, RefusedError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40 + b"IEND\xaeB`\x82"
PARQUET = b"PAR1" + b"\0" * 200 + b"PAR1"
RULE = TypeRule("default", ("csv", "png"), 100)


def problem(path: str, content: bytes, chunk: int = 7) -> str | None:
    scan = ContentScan(path)
    for start in range(0, len(content), chunk):
        scan.feed(content[start : start + chunk])
    return scan.problem()


def test_an_output_lies_in_the_folder_of_its_run() -> None:
    """Otherwise one run registers, and releases, another run's files as its own."""
    assert check_output_of_run("outputs/run-1/km/a.csv", "run-1") == ("outputs", "run-1", "km", "a.csv")
    for path in ("outputs/run-2/a.csv", "outputs/run-1", "values/run-1/a.csv", "outputs/run-1/../a"):
        with pytest.raises(InputError, match="refused"):
            check_output_of_run(path, "run-1")
    assert name_of("outputs/run-1/km/a.csv") == "km/a.csv"
    assert check_output_path("a/b") == ("a", "b")


def test_sizes_and_types_are_told() -> None:
    """Otherwise people do not know what they look at, or how large it may be."""
    check_output_size("a.csv", 10, 10)
    with pytest.raises(InputError, match="too large") as refused:
        check_output_size("a.csv", 11, 10)
    assert "11 bytes; the limit is 10" in refused.value.why
    assert extension_of("a/B.CSV") == "csv"
    assert extension_of("a/b") == ""
    assert media_type_of("a.parquet") == "application/vnd.apache.parquet"
    assert media_type_of("a.xyz") == "application/octet-stream"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.csv", b"MZ,intensity\n1,2\n"),
        ("a.txt", "ünïcode\n".encode()),
        ("a.json", b'{"a": 1}'),
        ("a.csv", b""),
        ("a.png", PNG),
        ("a.jpg", b"\xff\xd8\xff\xe0 etc"),
        ("a.gif", b"GIF89a etc"),
        ("a.parquet", PARQUET),
        ("a.pdf", b"%PDF-1.7 /Type /Catalog"),
        ("a.bib", b"@article{x}"),
        # A header of 640 bytes: the length begins as a pickle does.
        ("a.safetensors", b"\x80\x02" + b"\0" * 6 + b'{"w": {}}'),
        ("a.onnx", b"\x08\x09\x12\x04test"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_what_is_what_it_says_may_leave(path: str, content: bytes, chunk: int) -> None:
    """Otherwise harmless results are held back."""
    assert problem(path, content, chunk) is None


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        *(
            (f"a.{kind}", pickle.dumps([1], protocol), "pickle")
            for kind in ("csv", "png", "bin")
            for protocol in (2, 5)
        ),
        ("a.json", b"\x93NUMPY\x01\0", "NumPy"),
        ("a.txt", b"\x7fELF\x02", "program"),
        ("a.bib", b"MZ\x90", "program"),
        ("a.csv", b"#!/bin/sh", "script"),
        ("a.csv", b"PK\x03\x04", "archive"),
        ("a.csv", b"\x1f\x8b\x08", "compressed"),
        ("a.csv", b"a,b\n1,\0", "binary"),
        ("a.csv", b"a,b\n\xff", "not UTF-8"),
        ("a.csv", b"caf\xc3", "not UTF-8"),
        ("a.txt", b"x" * 5000 + b"<SCRIPT>", "markup"),
        ("a.csv", b"<!DOCTYPE html>", "markup"),
        ("a.json", b'["<svg onload=x>"]', "markup"),
        ("a.md", b"<iframe src=x>", "markup"),
        ("a.bib", b"<html>", "markup"),
        ("a.safetensors", pickle.dumps([1], 2), "pickle"),
        ("a.onnx", b"\x12 and so on", "not that of a .onnx"),
        ("a.png", b"GIF89a", "not that of a .png"),
        ("a.png", PNG[:-1], "not that of a .png"),
        ("a.png", PNG + b"trailing bytes", "not that of a .png"),
        ("a.parquet", b"PAR1 and no end", "not that of a .parquet"),
        ("a.pdf", b"%PDF-1.7 " + b" " * 100 + b"/JavaScript (x)", "active content"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_what_runs_or_pretends_is_refused(path: str, content: bytes, told: str, chunk: int) -> None:
    """Attack 26: active content must not leave, however the bytes are cut into chunks."""
    assert told in (problem(path, content, chunk) or "")


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0<#PM"), max_size=200),
    st.integers(1, 9),
)
def test_plain_text_passes_however_it_is_cut(text: str, chunk: int) -> None:
    """Otherwise a multi-byte character across two chunks makes a good file bad."""
    assert problem("a.txt", text.encode(), chunk) is None


def test_the_policy_names_what_it_allows() -> None:
    """Otherwise an author cannot tell what to change."""
    RULE.check_name_and_size("a.csv", 100)
    RULE.check_content("a.csv", ContentScan("a.csv"))
    for path, size, told in (
        ("a.txt", 1, "csv, png"),
        ("a", 1, "without an extension"),
        ("a.csv", 101, "101"),
    ):
        with pytest.raises(RefusedError, match=told):
            RULE.check_name_and_size(path, size)
    scan = ContentScan("a.csv")
    scan.feed(b"#!/bin/sh")
    with pytest.raises(RefusedError, match="nothing that can run"):
        RULE.check_content("a.csv", scan)


@pytest.mark.parametrize(
    ("path", "model", "is_its"),
    [
        ("outputs/run-1/models/risk/1/weights.json", "risk/1", True),
        ("outputs/run-1/models/risk/12/weights.json", "risk/1", False),
        ("outputs/run-1/models/risk/1/weights.json", "risk", False),
        ("outputs/run-1/other/models/risk/1/weights.json", "risk/1", False),
    ],
)
def test_a_file_is_of_a_model_by_its_place(path: str, model: str, is_its: bool) -> None:
    """Otherwise files of another version would leave with the one that was looked at."""
    assert is_of_model(path, model) is is_its
