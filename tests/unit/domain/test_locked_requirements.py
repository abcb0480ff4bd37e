"""What a project's lock file may say: versions and hashes. Whatever else it says, nothing is installed."""

from __future__ import annotations

import pytest

from phems.domain.lock_files import LARGEST
from phems.domain.locked_requirements import LockedRequirement, locked_requirements, without_the_walls
from phems.errors import InputError

A, B = "a" * 64, "b" * 64


def read(text: str) -> tuple[LockedRequirement, ...]:
    return locked_requirements(text.encode(), file="requirements.txt")


def test_what_uv_and_pip_write_is_read() -> None:
    """Otherwise nobody's lock file works."""
    text = (
        f"# by uv\nPolars==1.12.0 \\\n    --hash=sha256:{B} \\\n    --hash=sha256:{A}\n    # via study\n"
        f"\ncolorama==0.4.6 ; sys_platform == 'win32' \\\r\n    --hash=sha256:{A.upper()} --hash=md5:00\n"
        f"uvicorn[standard]==0.30.1+local --hash sha256:{A}\n"
    )
    found = read(text)
    assert found == (
        LockedRequirement("colorama", "0.4.6", (A,), "sys_platform == 'win32'"),
        LockedRequirement("polars", "1.12.0", (A, B)),
        LockedRequirement("uvicorn", "0.30.1+local", (A,)),
    )
    assert found[0].line() == f"colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:{A}"
    assert read(found[1].line()) == (found[1],)
    assert read("# nothing\n") == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--index-url https://evil.example/simple", "--index-url"),
        ("--extra-index-url=https://evil.example", "--extra-index-url"),
        ("-r other.txt", "-r"),
        ("-e .", "-e"),
        ("--find-links /data", "--find-links"),
        (f"study @ https://evil.example/study.whl --hash=sha256:{A}", "not of the form"),
        ("./study-1.0.whl", "not of the form"),
        (f"polars>=1.0 --hash=sha256:{A}", "not of the form"),
        (f"polars==1.* --hash=sha256:{A}", "not of the form"),
        (f"polars==1.0 --config-settings=x --hash=sha256:{A}", "not of the form"),
        ("polars==1.0", "no SHA-256"),
        ("polars==1.0 --hash=md5:00", "no SHA-256"),
        ("polars==1.0 --hash=sha256:00", "no SHA-256"),
    ],
)
def test_a_line_that_takes_packages_from_elsewhere_is_refused(line: str, why: str) -> None:
    """Project code would choose what the node fetches, or run a build of its own in the control plane."""
    with pytest.raises(InputError) as refused:
        read(f"polars==1.0 --hash=sha256:{A}\n{line}\n")
    assert why in refused.value.why
    assert "uv pip compile" in refused.value.remedy


def test_a_file_that_is_no_text_or_has_no_end_is_refused() -> None:
    with pytest.raises(InputError, match="No environment") as refused:
        locked_requirements(b"\xff\xfe", file="requirements.txt")
    assert "UTF-8" in refused.value.why
    with pytest.raises(InputError) as refused:
        locked_requirements(b"#" * (LARGEST + 1), file="requirements.txt")
    assert "limit" in refused.value.why


def test_what_the_wall_needs_is_the_nodes_own() -> None:
    """A Dagster of another version would not understand the node, and each run would fail in its own way."""
    study = LockedRequirement("study", "1", (A,))
    dagster = LockedRequirement("dagster", "1.13.27", (A,))
    assert without_the_walls([dagster, study], {"dagster": "1.13.27"}, file="r.txt") == (study,)
    with pytest.raises(InputError) as refused:
        without_the_walls([dagster, study], {"dagster": "1.13.30"}, file="r.txt")
    assert "dagster==1.13.27" in refused.value.what
    assert "dagster==1.13.30" in refused.value.remedy
