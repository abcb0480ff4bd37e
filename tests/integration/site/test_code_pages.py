"""Code revisions in the browser: what an approver reads, may do and is told. Code shown there is inert."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from tests.integration.api.api_site import OTHER, PROJECT
from tests.integration.site.browsed_site import BrowsedSite, words_of

from phems.adapters.signing import SigningKey
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.code_revisions import CodeRevisionState
from phems.gateway.site import code_review
from phems.gateway.site.code_colours import shown_lines
from phems.gateway.site.code_review import MOST_FILES, MOST_LINES

MARKUP = "<script>alert(1)</script>"
LIST = f"/projects/{PROJECT}/code"


def submitted(site: BrowsedSite, files: dict[str, str] | None = None, *, author: str = "Zoe") -> str:
    """A commit that waits for approval; gives its name."""
    commit = site.commit(PROJECT, files or {"src/definitions.py": "defs = 2\n"}, author=author)
    site.node.code_revisions.submit(Actor("ana"), PROJECT, commit)
    return commit


def page_of(commit: str) -> str:
    return f"{LIST}/{commit}"


def decision(site: BrowsedSite, who: str, commit: str, act: str, /, **fields: str) -> Any:
    """Open the page, and send one of its forms."""
    browser = site.browser(who)
    seen = re.search(r'name="seen" value="([^"]+)"', browser.get(page_of(commit)).text)
    assert seen is not None, "there is no form"
    return browser.send(page_of(commit), act, **{"seen": seen[1], **fields})


def state(site: BrowsedSite, commit: str) -> CodeRevisionState:
    return site.node.code_revisions.show(Actor("ana"), PROJECT, commit).state


def test_an_owner_is_led_to_the_form_and_approves(site: BrowsedSite) -> None:
    """Otherwise code is approved by those alone who have a command line."""
    commit = submitted(site)
    task = re.search(rf'href="({page_of(commit)})"', site.browser("iris").get("/").text)
    assert task is not None, "it is not among their work"
    words = site.browser("iris").words(task[1])
    assert "It waits for your approval" in words
    assert "None of them can approve it" in words
    answer = decision(site, "iris", commit, "approve", note="Read line by line")
    assert "You approved the code revision." in answer.text
    assert "Read line by line" in answer.text
    assert "verified now" in answer.text
    assert "It is approved. New runs use it." in words_of(answer.text)
    assert state(site, commit) is CodeRevisionState.APPROVED


def test_who_cannot_approve_sees_why_and_no_button(site: BrowsedSite) -> None:
    """Otherwise people wait for each other, or press what is then refused."""
    commit = submitted(site, author="Ivo")
    for who, why in (
        ("ana", "by an Information Asset Owner of the project, which you are not. It waits for iris."),
        ("ivo", "because you are one of its authors. It waits for iris."),
    ):
        page = site.browser(who).get(page_of(commit))
        assert why in words_of(page.text)
        assert "Approve the code" not in page.text
        answer = site.browser(who).send(page_of(commit), "approve", seen="x")
        assert answer.status_code >= 400
    assert state(site, commit) is CodeRevisionState.SUBMITTED


def test_an_author_is_refused_even_with_the_right_form(site: BrowsedSite) -> None:
    """Attack 18: the page's missing button is not what holds them off."""
    commit = submitted(site, author="Ivo")
    seen = re.search(r'name="seen" value="([^"]+)"', site.browser("ivo").get(page_of(commit)).text)
    assert seen is not None, "an owner can reject it"
    answer = site.browser("ivo").send(page_of(commit), "approve", seen=seen[1])
    assert answer.status_code == 403
    assert "its author cannot approve it" in answer.text.lower()
    assert state(site, commit) is CodeRevisionState.SUBMITTED


def test_a_form_of_another_page_approves_nothing(site: BrowsedSite) -> None:
    """Otherwise a link in a mail makes an owner approve."""
    commit = submitted(site)
    answer = decision(site, "iris", commit, "approve", csrf="0" * 40)
    assert answer.status_code == 403
    assert state(site, commit) is CodeRevisionState.SUBMITTED


def test_what_changed_meanwhile_is_looked_at_again(site: BrowsedSite) -> None:
    """Otherwise an owner rejects what another has just approved, and does not know."""
    commit = submitted(site)
    browser = site.browser("iris")
    seen = re.search(r'name="seen" value="([^"]+)"', browser.get(page_of(commit)).text)
    assert seen is not None
    decision(site, "ivo", commit, "approve")
    answer = browser.send(page_of(commit), "approve", seen=seen[1])
    assert answer.status_code == 412
    assert f"{PROJECT}@{commit[:12]} is not as you saw it." in answer.text
    assert 'href="#main"' in answer.text, "the form that it was about is not there any more"


def test_a_rejection_and_a_revocation_need_a_reason(site: BrowsedSite) -> None:
    """Otherwise an author does not know what to change."""
    commit = submitted(site)
    answer = decision(site, "iris", commit, "reject")
    assert answer.status_code == 400
    assert 'href="#reject_reason"' in answer.text
    answer = decision(site, "iris", commit, "reject", reject_reason="Reads every patient")
    assert "You rejected the code revision." in answer.text
    assert "Reads every patient" in site.browser("ana").words(page_of(commit))
    assert "Submit it again" in site.browser("ana").get(page_of(commit)).text
    answer = decision(site, "ana", commit, "submit", commit=commit)
    assert "turn 2" in words_of(answer.text)
    decision(site, "iris", commit, "approve")
    answer = decision(site, "iris", commit, "revoke", revoke_reason="Wrong cohort", stop_runs="yes")
    assert state(site, commit) is CodeRevisionState.REVOKED
    assert "Wrong cohort" in answer.text
    assert "<button" not in answer.text, "nothing is left to be done"


def test_an_analyst_submits_from_the_list(site: BrowsedSite) -> None:
    """Otherwise the first thing that an analyst does needs a command line."""
    assert "No code has been submitted yet." in site.browser("ana").words(LIST)
    assert "Submit for approval" not in site.browser("iris").get(LIST).text
    answer = site.browser("ana").send(LIST, "submit", commit="")
    assert answer.status_code == 200
    assert "The code revision was submitted." in answer.text
    assert "It waits for approval" in site.browser("iris").words(LIST)
    answer = site.browser("ana").send(LIST, "submit", commit="abcdef")
    assert answer.status_code == 400
    assert 'value="abcdef"' in answer.text
    assert 'href="#commit"' in answer.text


def test_a_long_list_begins_with_what_waits_and_leads_to_the_rest(
    site: BrowsedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a project of many years has a list that nobody can read, or loses the old."""
    monkeypatch.setattr(code_review, "SHOWN", 1)
    first = submitted(site)
    second = submitted(site, {"src/definitions.py": "defs = 3\n"})
    decision(site, "iris", second, "approve")
    page = site.browser("ana").get(LIST).text
    assert first in page
    assert second not in page
    everything = re.search(r'href="([^"]+)">Show all', page)
    assert everything is not None
    whole = site.browser("ana").get(everything[1]).text
    assert first in whole
    assert second in whole
    assert "Show all" not in whole


def test_hostile_code_is_shown_and_does_nothing(site: BrowsedSite) -> None:
    """Otherwise code acts as who reads it, or reads other than what runs."""
    commit = submitted(
        site,
        {
            "src/definitions.py": f"x = '{MARKUP}'  # \u202e }} ; )\nsafe = 1\revil = 2\n",
            f"src/{MARKUP.replace('/', '')}.py": "pass\n",
            "src/wide.py": "y = '" + "z" * (5 * 1024 * 1024) + "'\n",
            "src/long.py": "y = '" + "q" * (900 * 1024) + "'\n",
            "src/picture.bin": "\0\1\2",
            "README.md": "&lt;b&gt; [link](javascript:alert(1))\n",
        },
    )
    answer = site.browser("iris").get(page_of(commit))
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text
    assert "[U+202E]" in answer.text
    assert "1\u240devil" in words_of(answer.text).replace(" ", ""), "a line's end that is none"
    assert 'href="javascript' not in answer.text
    assert len(answer.text) < 100_000
    words = words_of(answer.text)
    assert "2 files could not be compared line by line: src/picture.bin, src/wide.py." in words
    assert re.search(r"q{900,1000}\.\.\.", answer.text), "cut, and one sees that it is"
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_diff_of_any_size_fits_a_page(site: BrowsedSite) -> None:
    """Otherwise a generated file, or thousands, keep approvers from all others."""
    many = {f"data/f{number:04}.txt": "1\n" for number in range(MOST_FILES + 20)}
    commit = submitted(site, {"aaa.py": "pass\n" * 200_000, **many})
    whole = site.browser("iris").get(page_of(commit)).text
    assert len(whole) < 2_000_000
    assert "more files, too many for a page" in words_of(whole)
    assert f"phems code diff --project {PROJECT} {commit[:12]} --patch" in whole
    one = re.search(r'href="([^"]+path=aaa.py)#file-\d+"', whole)
    assert one is not None
    shown = words_of(site.browser("iris").get(one[1]).text)
    assert "Only the lines of aaa.py are shown." in shown
    assert f"{200_000 + 1 - MOST_LINES:,} more lines, too many for a page" in shown


def test_a_change_is_told_against_the_last_approved(site: BrowsedSite) -> None:
    """Otherwise approvers read all of the code each time, and so none of it."""
    lock = 'version = 1\n[[package]]\nname = "numpy"\nversion = "{}"\nsource = {{ registry = "r" }}\n'
    first = submitted(
        site, {"src/definitions.py": "def one():\n    return 1\n", "uv.lock": lock.format("2.1")}
    )
    page = site.browser("iris").words(page_of(first))
    assert "No code of this project was approved before: all of it is new." in page
    decision(site, "iris", first, "approve")
    second = submitted(
        site, {"src/definitions.py": "def one():\n    return 2\n", "uv.lock": lock.format("2.0")}
    )
    page = site.browser("iris").get(page_of(second))
    words = words_of(page.text)
    assert f"Against {first[:12]} , the last approved before it." in words
    assert "numpy Review downgraded 2.1 2.0 uv.lock" in words
    assert "1 dependency goes back to an older version: numpy." in words
    assert '<span class="t-k">return</span>' in page.text
    for number in re.findall(r'href="#file-(\d+)"', page.text):
        assert f'id="file-{number}"' in page.text
    decision(site, "iris", second, "approve")
    assert "A newer one was approved." in site.browser("iris").words(page_of(first))


def test_another_projects_code_is_as_if_it_did_not_exist(site: BrowsedSite) -> None:
    """Otherwise names of commits tell what others work on."""
    commit = submitted(site)
    ben = site.browser("ben")
    for path, unknown in (
        (LIST, "/projects/no-such/code"),
        (page_of(commit), "/projects/no-such/code/" + commit),
    ):
        answer, nothing = ben.get(path), ben.get(unknown)
        assert answer.status_code == nothing.status_code == 404
        assert answer.text == nothing.text.replace("no-such", PROJECT)
    foreign = site.browser("ben").get(f"/projects/{OTHER}/code/{commit}")
    none = site.browser("ben").get(f"/projects/{OTHER}/code/{'0' * 40}")
    assert foreign.status_code == none.status_code == 404
    assert foreign.text.replace(commit, "") == none.text.replace("0" * 40, "")
    assert site.browser("ben").send(page_of(commit), "approve", seen="x").status_code == 404


def test_who_keeps_their_key_signs_what_the_page_gives_them(site: BrowsedSite) -> None:
    """Otherwise the page would be a way round the approver's own key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = SigningKey(Ed25519PrivateKey.generate())
    site.node.approver_keys.register(LOCAL_OPERATOR, "iris", key.public_key)
    commit = submitted(site)
    page = site.browser("iris").get(page_of(commit)).text
    assert "openssl pkeyutl -sign" in page
    statement = re.search(r'name="statement" value="([^"]+)"', page)
    assert statement is not None
    unsigned = decision(site, "iris", commit, "approve", statement=statement[1])
    assert unsigned.status_code == 400
    assert 'href="#signature"' in unsigned.text
    assert statement[1] in unsigned.text, "what was given to be signed is still what is signed"
    assert decision(site, "iris", commit, "approve").status_code == 403  # the field left out altogether
    wrong = SigningKey(Ed25519PrivateKey.generate()).sign(base64.b64decode(statement[1]))
    refused = decision(site, "iris", commit, "approve", statement=statement[1], signature=wrong)
    assert refused.status_code == 403
    assert state(site, commit) is CodeRevisionState.SUBMITTED
    signature = key.sign(base64.b64decode(statement[1]))
    done = decision(site, "iris", commit, "approve", statement=statement[1], signature=signature)
    assert f"signed with the key {key.key_id}" in words_of(done.text)
    assert state(site, commit) is CodeRevisionState.APPROVED


def test_the_facts_stand_when_the_code_repo_cannot_be_read(site: BrowsedSite) -> None:
    """Otherwise a damaged repo hides who approved what runs."""
    commit = submitted(site)
    decision(site, "iris", commit, "approve")
    (site.folder / "code" / PROJECT / ".git").rename(site.folder / "gone")
    words = site.browser("iris").words(page_of(commit))
    assert "What it changes cannot be shown." in words
    assert "iris" in words


@pytest.mark.parametrize("path", ["a.py", "a.json", "a.unknown", "a.r", "a.md", "a.sql", "a.sh", "a.toml"])
def test_colours_never_change_a_line(path: str) -> None:
    """Otherwise an approver reads other code than what runs."""
    lines = [
        "x = 1  # say",
        "'''",
        "  \ttext\x0b\x0c",
        "\ufeffy",
        "",
        "{\"a\": [1, 'b']}",
        "<!-- -->",
        "\x85z",
    ]
    diff = ["--- a", "+++ b", "@@ -1,3 +1,9 @@", "-gone", *(f"+{line}" for line in lines), " same"]
    shown = shown_lines(path, diff)
    texts = ["".join(text for _, text in line.parts) for line in shown]
    assert texts == ["Lines 1 to 9", "gone", *lines, "same"]
    assert [(line.old, line.new) for line in shown[-2:]] == [(None, 8), (2, 9)]
