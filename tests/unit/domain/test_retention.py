"""What a purge may take: never what is held back, never what is not ended, never what is not old enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from phems.domain.retention import HOLDS, Area, EndedRun, EnvironmentUse, Hold, chosen, is_held, unused

NOW = datetime(2026, 11, 28, 21, tzinfo=UTC)
MOMENTS = st.none() | st.integers(0, 400).map(lambda days: NOW - timedelta(days=days))
RUNS = st.lists(
    st.builds(
        lambda ended_at, holds: (ended_at, holds),
        ended_at=MOMENTS,
        holds=st.frozensets(st.sampled_from(Hold)),
    ),
    max_size=20,
).map(
    lambda made: [
        EndedRun(run_id=f"r{number}", ended_at=ended_at, holds=holds)
        for number, (ended_at, holds) in enumerate(made)
    ]
)
RULES = st.dictionaries(st.sampled_from(Area), st.none() | st.integers(1, 400))


@given(RUNS, RULES)
def test_nothing_that_is_protected_is_ever_chosen(runs: list[EndedRun], rule: dict[Area, int | None]) -> None:
    """What was released could not be explained any more; what still runs would fail."""
    found = chosen(runs, rule, NOW)
    for area, taken in found.items():
        days = rule[area]
        assert days is not None, "what has no rule is kept for ever"
        for run in taken:
            assert run.ended_at is not None
            assert NOW - run.ended_at > timedelta(days=days)
            assert not any(area in HOLDS[hold] for hold in run.holds)
            assert Hold.RELEASE not in run.holds
            assert Hold.RERUN not in run.holds
    for area in set(Area) - set(found):
        assert rule.get(area) is None


@given(RUNS, RULES)
def test_what_is_old_and_not_held_goes_the_oldest_first(
    runs: list[EndedRun], rule: dict[Area, int | None]
) -> None:
    """A disk would fill up all the same if the rule forgot some."""
    for area, taken in chosen(runs, rule, NOW).items():
        due = {
            run.run_id
            for run in runs
            if run.ended_at is not None
            and NOW - run.ended_at > timedelta(days=rule[area] or 0)
            and not is_held(run, area)
        }
        assert {run.run_id for run in taken} == due
        ended = [run.ended_at for run in taken if run.ended_at is not None]
        assert ended == sorted(ended)


def test_the_last_word_on_an_asset_holds_back_its_events_alone() -> None:
    """Dagster would show the asset as never made; its compute logs say nothing of that."""
    run = EndedRun(run_id="r", ended_at=NOW - timedelta(days=9), holds=frozenset({Hold.ASSET}))
    assert [area for area in Area if is_held(run, area)] == [Area.EVENT_LOGS]


USES = st.lists(
    st.builds(
        EnvironmentUse,
        project=st.sampled_from(["heart", "breast"]),
        digest=st.sampled_from(["one", "two", "three"]),
        days=st.none() | st.integers(1, 400),
        is_held=st.booleans(),
        last_used_at=st.integers(0, 800).map(lambda days: NOW - timedelta(days=days)),
    ),
    max_size=12,
)


@given(USES)
def test_an_environment_goes_when_everybody_lets_it_go(uses: list[EnvironmentUse]) -> None:
    """Projects may share one, and a run of either would find its packages gone."""
    going = unused(uses, NOW)
    for digest in {use.digest for use in uses}:
        lets_go = [
            use.days is not None and not use.is_held and NOW - use.last_used_at > timedelta(days=use.days)
            for use in uses
            if use.digest == digest
        ]
        assert (digest in going) == all(lets_go)
