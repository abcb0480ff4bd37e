"""Checking a node spec: every error at once, each at its line, none of them a guess."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phems.errors import InputError
from phems.nodespec import Problem, SpecError, check_text, inspect_text, parse_node

Problems = Callable[..., list[Problem]]


def test_a_spec_with_every_key_has_no_problems(full: str) -> None:
    assert check_text(full) == []


def test_what_is_unset_takes_the_documented_defaults() -> None:
    spec = parse_node(
        "version: 1\nnode: {name: a}\ncontroller: {name: b}\nprojects:\n  heart-attack:\n"
        "    code: {repo: x}\n    members: {output_checker: [a, b], information_asset_owner: [c]}\n"
    )
    project = spec.projects["heart-attack"]
    assert project.code.module == "heart_attack.definitions"
    assert (project.code.branch, project.code.root, project.policy) == ("main", "src", "default")
    assert (spec.data_dir, spec.release_zone, spec.gateway.port) == ("data", "releases", 3000)
    assert spec.policy_of("heart-attack").votes == 2
    assert project.resources.memory == 2 * 1024**3


def test_a_section_with_everything_commented_out_counts_as_unset() -> None:
    assert (
        parse_node("version: 1\nnode: {name: a}\ncontroller: {name: b}\nprojects:\nroles:\n").projects == {}
    )


ONE_MISTAKE = [
    # what is written, what is written instead, key of the problem, words in it
    ("version: 1", "version: 2", "version", "it can be 1"),
    ("node:\n  name: st-mary\n", "node:\n", "node.name", "is missing"),
    ("  name: st-mary", "  name: St Mary", "node.name", "is not a name"),
    ("  name: st-mary", "  name: 7", "node.name", "is not text"),
    ("controller:", "controler:", "controler", "did you mean controller?"),
    ("profile: embedded", "profile: embeded", "profile", "did you mean embedded?"),
    ("data_dir: data", 'data_dir: ""', "data_dir", "is not a path"),
    ("data_dir: data", 'data_dir: data\n"[key]": 1', "[key]", "is not a key"),
    ("  port: 3000", "  port: 70000", "gateway.port", "at most 65535"),
    ("  port: 3000", '  port: "3000"', "gateway.port", "is not a whole number"),
    ("  port: 3000", "  port: [3000]", "gateway.port", "it is a list"),
    ("  port: 3000", "  port: {a: 3000}", "gateway.port", "it is a mapping"),
    ("controller:\n", 'controller:\n  contact: "\\ud800"\n', "controller.contact", "unicode"),
    ("  port: 3000", "  port: true", "gateway.port", "is not a whole number"),
    ("  port: 3000", "  port: 3000.5", "gateway.port", "is not a whole number"),
    ("  port: 3000", '  port: !!int ""', "gateway.port", "is not a int"),
    ("allow_remote: false", "allow_remote: no", "gateway.allow_remote", "is not true or false"),
    ("operator: [olga]", "operator: olga", "roles.operator", "is not a list"),
    ("operator: [olga]", "operator: [Olga Smith]", "roles.operator[0]", "is not a user's name"),
    ("roles:\n", "roles: 3\nxroles:\n", "roles", "is not a mapping"),
    ("default: {votes: 2}", "default: {votes: 1}", "policies.default.votes", "at least 2"),
    ("approvals: 2", "approvals: 0", "policies.strict.approvals", "at least 1"),
    ("sandbox: required", "sandbox: off", "policies.strict.sandbox", "'preferred' or 'required'"),
    ("[csv, png]", "[csv, pkl]", "policies.strict.file_types[1]", "may not be released"),
    ("[csv, png]", "[csv, .png]", "policies.strict.file_types[1]", "is not a file type"),
    ("[csv, png]", "[]", "policies.strict.file_types", "is too short"),
    ("10MiB", "10MiBs", "policies.strict.max_file_size", "is not a size"),
    ("format: csv", "format: xlsx", "data_sources.labs.format", "it can be"),
    ("  labs: {", "  Labs: {", "data_sources.Labs", "is not a name"),
    ("  heart-attack:\n", "  heart_attack:\n", "projects.heart_attack", "is not a name"),
    (
        "repo: code/heart-attack",
        "repo: -oProxyCommand=x",
        "projects.heart-attack.code.repo",
        "not the address",
    ),
    ("repo: code/heart-attack", "repo: ext::sh -c x", "projects.heart-attack.code.repo", "not the address"),
    ("repo: code/heart-attack", "repo: http://x/y", "projects.heart-attack.code.repo", "not the address"),
    ("      branch: main", "      branch: --force", "projects.heart-attack.code.branch", "name of a branch"),
    ("      branch: main", "      branch: a..b", "projects.heart-attack.code.branch", "name of a branch"),
    ("      root: src", "      root: ../src", "projects.heart-attack.code.root", "leaves the Code Repo"),
    ("      root: src", "      root: /src", "projects.heart-attack.code.root", "leaves the Code Repo"),
    ("heart_attack.definitions", "heart-attack.py", "projects.heart-attack.code.module", "Python module"),
    ("2030-12-31", "2030-12-31 10:00:00", "projects.heart-attack.data_grants[0].expires", "is not a date"),
    ("2030-12-31", "20301231", "projects.heart-attack.data_grants[0].expires", "is not a date"),
    ("2030-12-31", '"soon"', "projects.heart-attack.data_grants[0].expires", "is not a date"),
    ("      runs: 10", "      runs: 0", "projects.heart-attack.queue.runs", "at least 1"),
    ("STUDY_YEAR: ", "study: ", "projects.heart-attack.environment.variables.study", "environment variable"),
    ("STUDY_YEAR: ", "LD_PRELOAD: ", "projects.heart-attack.environment.variables.LD_PRELOAD", "reserved"),
    ('"2024"', "2024", "projects.heart-attack.environment.variables.STUDY_YEAR", "is not text"),
    (
        "concurrency: 4",
        "concurency: 4",
        "projects.heart-attack.queue.concurency",
        "did you mean concurrency?",
    ),
    ("- source: labs", "- sauce: labs", "projects.heart-attack.data_grants[1].sauce", "did you mean source?"),
    # rules over several parts
    ("- source: labs", "- source: lab", "projects.heart-attack.data_grants[1].source", "did you mean labs?"),
    ("- source: labs", "- source: cohort", "projects.heart-attack.data_grants[1]", "is listed twice"),
    ("policy: strict", "policy: strikt", "projects.heart-attack.policy", "did you mean strict?"),
    ("[omar, oda, ana]", "[omar, ana]", "projects.heart-attack.members.output_checker", "ana not counted"),
    ("[omar, oda, ana]", "[oda]", "projects.heart-attack.members.output_checker", "has 1 of 2"),
    (
        "[iris, ivan]",
        "[iris]",
        "projects.heart-attack.members.information_asset_owner",
        "asks for 2 approvals",
    ),
    (
        "[iris, ivan]",
        "[iris, ivan, iris]",
        "projects.heart-attack.members.information_asset_owner[2]",
        "twice",
    ),
    (
        "university: [ivan]",
        "university: []",
        "projects.heart-attack.members.information_asset_owner",
        "come from 1 of 2 organisations",
    ),
    ("university: [ivan]", "university: [ivan, iris]", "organisations.university[1]", "is of st-mary too"),
    ("signatures: required", "signatures: none", "policies.strict.signatures", "'required' or 'optional'"),
    ("[olga]", "[olga, olga]", "roles.operator[1]", "is listed twice"),
    ("[csv, png]", "[csv, png, csv]", "policies.strict.file_types[2]", "is listed twice"),
    ("sources/labs.csv", "sources/./cohort.parquet", "data_sources.labs.path", "is registered twice"),
    ("sources/labs.csv", "data/keys/audit.key", "data_sources.labs.path", "overlaps data_dir"),
    ("sources/labs.csv", ".", "data_sources.labs.path", "overlaps"),
    (
        "https://git.example/breast-cancer.git",
        "code/heart-attack/",
        "projects.breast-cancer.code.repo",
        "another",
    ),
    ("release_zone: releases", "release_zone: data/out", "release_zone", "overlaps data_dir"),
    ("release_zone: releases", "release_zone: ./data", "release_zone", "overlaps data_dir"),
    ("host: 127.0.0.1", "host: 0.0.0.0", "gateway.host", "allow_remote"),
    ("host: 127.0.0.1", 'host: "::"', "gateway.host", "allow_remote"),
    ("host: 127.0.0.1", "host: node.example", "gateway.host", "allow_remote"),
    ("auditor: [aud]", "auditor: [olga]", "roles.operator[0]", "is an auditor"),
    ("auditor: [aud]", "auditor: [ben]", "projects.heart-attack.members.data_analyst[1]", "is an auditor"),
    ("env:PHEMS_DATABASE_URL", "sqlite:///x", "database.url", "not the address of a Postgres"),
    ("env:PHEMS_DATABASE_URL", '"env:"', "database.url", "not the address of a Postgres"),
]


@pytest.mark.parametrize(("old", "new", "key", "words"), ONE_MISTAKE)
def test_one_mistake_is_named_at_its_line_with_a_remedy(
    problems_of: Problems, full: str, old: str, new: str, key: str, words: str
) -> None:
    problems = problems_of((old, new))
    assert key in [problem.key for problem in problems], problems
    problem = next(problem for problem in problems if problem.key == key)
    assert words in str(problem)
    assert problem.what
    assert problem.why
    assert problem.remedy
    changed = full.replace(old, new, 1).splitlines()[problem.line - 1]
    last = re.sub(r"\[\d+\]", "", key).split(".")[-1]
    assert last in changed or words == "is missing" or "twice" in words, f"line {problem.line} is {changed!r}"


def test_a_profile_without_its_own_postgres_needs_an_address(problems_of: Problems) -> None:
    (problem,) = problems_of(
        ("profile: embedded", "profile: server"), ("database:\n  url: env:PHEMS_DATABASE_URL\n", "")
    )
    assert (problem.key, problem.what) == ("database.url", "is missing")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", '"::1"'])
def test_this_machine_alone_needs_no_acknowledgement(problems_of: Problems, host: str) -> None:
    assert problems_of(("host: 127.0.0.1", f"host: {host}")) == []


@pytest.mark.parametrize(
    "by", ["tls: {certificate: tls/node.crt, key: tls/node.key}", "trusted_proxies: [10.0.0.7, 10.1.0.0/29]"]
)
def test_a_remote_gateway_that_is_meant_and_speaks_tls_is_taken(problems_of: Problems, by: str) -> None:
    changes = ("host: 127.0.0.1", "host: 0.0.0.0"), ("allow_remote: false", f"allow_remote: true\n  {by}")
    assert problems_of(*changes) == []


def test_a_remote_gateway_in_the_clear_is_refused(problems_of: Problems) -> None:
    """Passwords and results would cross the hospital's network for everyone to read."""
    (problem,) = problems_of(
        ("host: 127.0.0.1", "host: 0.0.0.0"), ("allow_remote: false", "allow_remote: true")
    )
    assert (problem.key, "plain HTTP" in problem.what) == ("gateway.host", True)
    assert "gateway.tls" in problem.remedy
    assert "trusted_proxies" in problem.remedy


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("public_url: https://node.example", "nothing speaks it"),
        ("public_url: http://node.example\n  tls: {certificate: a, key: b}", "is plain HTTP"),
    ],
)
def test_the_public_address_is_one_that_something_serves(
    problems_of: Problems, lines: str, words: str
) -> None:
    """Cookies would be made for a scheme that nobody uses: nobody could sign in."""
    (problem,) = problems_of(("allow_remote: false", f"allow_remote: false\n  {lines}"))
    assert (problem.key, words in problem.what) == ("gateway.public_url", True)


@pytest.mark.parametrize(
    "lines",
    [
        "public_url: https://node.example\n  trusted_proxies: [127.0.0.1]",
        "public_url: https://node.example:8443\n  tls: {certificate: a, key: b}",
        'public_url: "http://[::1]:3000"',
        "rate_limits: {graphql: 20/second, sign_in: 5/hour}\n  connections: {per_address: 10}",
        "metrics: {token: env:PHEMS_METRICS_TOKEN}",
    ],
)
def test_what_a_gateway_may_be_told_is_taken(problems_of: Problems, lines: str) -> None:
    assert problems_of(("allow_remote: false", f"allow_remote: false\n  {lines}")) == []


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        ("public_url: https://node.example/", "gateway.public_url", "not the address of a site"),
        ("public_url: https://ana@node.example", "gateway.public_url", "not the address of a site"),
        ("trusted_proxies: [0.0.0.0/0]", "gateway.trusted_proxies[0]", "is everybody"),
        ('trusted_proxies: [10.0.0.1, "::/0"]', "gateway.trusted_proxies[1]", "is everybody"),
        ("trusted_proxies: [proxy.example]", "gateway.trusted_proxies[0]", "not an address or a network"),
        ("trusted_proxies: [10.0.0.9/29]", "gateway.trusted_proxies[0]", "not an address or a network"),
        ("rate_limits: {graphql: often}", "gateway.rate_limits.graphql", "is not a rate"),
        ("rate_limits: {graphql: 0/minute}", "gateway.rate_limits.graphql", "is not a rate"),
        ("metrics: {token: s3cret}", "gateway.metrics.token", "stands in node.yaml"),
        ("tls: {certificate: a}", "gateway.tls.key", "missing"),
    ],
)
def test_a_mistake_about_the_gateway_is_named(
    problems_of: Problems, lines: str, key: str, words: str
) -> None:
    problems = problems_of(("allow_remote: false", f"allow_remote: false\n  {lines}"))
    assert key in [problem.key for problem in problems], problems
    assert words in " ".join(map(str, problems))


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file(problems_of: Problems) -> None:
    problems = problems_of(
        ("  name: st-mary", "  name: St Mary"),
        ("host: 127.0.0.1", "host: 0.0.0.0"),
        ("votes: 2\n    sandbox", "votes: 1\n    sandbox"),
        ("format: csv", "format: cvs"),
        ("- source: cohort", "- source: cohorts"),
        ("policy: strict", "policy: lax"),
        ("memory: 2GiB", "memory: two"),
    )
    assert [problem.key for problem in problems] == [
        "node.name",
        "gateway.host",
        "policies.strict.votes",
        "data_sources.labs.format",
        "projects.heart-attack.data_grants[0].source",
        "projects.heart-attack.policy",
        "projects.heart-attack.resources.memory",
    ]
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


@pytest.mark.parametrize(
    "change",
    [
        # A broken entry must not make what refers to it look wrong too.
        ("format: parquet", "format: parkett"),
        ("    path: sources/cohort.parquet\n", ""),
        ("    approvals: 2\n", "    approvals: many\n"),
        ("data_sources:\n", "data_sources: none\nx-sources:\n"),
        ("[omar, oda, ana]", "[omar, oda, 7]"),
        ("      repo: code/heart-attack\n", ""),
    ],
)
def test_a_broken_part_brings_no_guesses_about_what_refers_to_it(
    problems_of: Problems, change: tuple[str, str]
) -> None:
    problems = [problem for problem in problems_of(change) if not problem.key.startswith("x-")]
    assert len(problems) == 1, problems


def test_a_spec_with_problems_is_never_loaded_and_the_error_carries_all(full: str) -> None:
    text = full.replace("port: 3000", "port: x").replace("policy: strict", "policy: lax")
    with pytest.raises(SpecError) as caught:
        parse_node(text, file="here/node.yaml")
    assert isinstance(caught.value, InputError)
    assert [problem.key for problem in caught.value.problems] == [
        "gateway.port",
        "projects.heart-attack.policy",
    ]
    assert "here/node.yaml:13: gateway.port: " in str(caught.value)


def test_what_stands_in_for_a_broken_value_is_known_to_be_doubtful(full: str) -> None:
    spec, document = inspect_text(full.replace("port: 3000", "port: x"))
    assert spec is not None
    assert document.is_doubtful(("gateway", "port"))
    assert not document.is_doubtful(("gateway", "host"))


_PIECES = [
    "",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "null",
    "0",
    "-1",
    "x",
    "*a",
    "&a ",
    "!!int ",
    "'",
    '"',
    "\t",
    "\n",
    "#",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), cuts=st.integers(1, 6))
def test_no_mutation_of_a_spec_is_an_error_of_ours(full: str, seed: int, cuts: int) -> None:
    """A person's slip of the keyboard must give problems or a spec, never a traceback."""
    random_ = random.Random(seed)  # noqa: S311
    text = full
    for _ in range(cuts):
        at = random_.randrange(len(text))
        end = at + random_.choice([0, 0, 1, 3, 10, 60])
        text = text[:at] + random_.choice([*_PIECES, text[at : at + 30] * 2]) + text[end:]
    spec, document = inspect_text(text)
    for problem in document.problems:
        assert 1 <= problem.line <= text.count("\n") + 1
        assert problem.what
        assert problem.why
        assert problem.remedy
    if not document.problems:
        assert spec == parse_node(text)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, 200), value=_ANY)
def test_any_value_at_any_key_gives_problems_or_a_spec(full: str, where: int, value: object) -> None:
    """Whatever a template engine puts at a key, the check says so in its own words."""
    import json

    lines = full.splitlines()
    at = where % len(lines)
    key, colon, _ = lines[at].partition(":")
    lines[at] = f"{key}{colon} {json.dumps(value)}"
    for problem in check_text("\n".join(lines)):
        assert problem.why, problem
        assert "pydantic" not in str(problem).lower()
