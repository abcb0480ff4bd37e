"""Sign-in with a second factor: a password alone opens nothing, a code works once, a loss can be mended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher as Argon2
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text

from phems.adapters.passwords import Argon2Hasher
from phems.adapters.sealed_totp import SealedTotp
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.second_factor import step_at
from phems.errors import CodeNeededError, InputError, IntegrityError, NotFoundError, RefusedError
from phems.nodespec.identity import Identity
from phems.services.password_sign_ins import HalfSignIn, PasswordSignIn
from phems.services.users import Users

from .conftest import AuditedNode, SetClock

PASSWORD = "correct horse battery"
ADA = Actor("ada")
FACTOR_SECRETS = SealedTotp(lambda: KEY, "St Mary")
KEY = AESGCM.generate_key(256)


@pytest.fixture
def rules() -> dict[str, Any]:
    """What node.yaml says of identity; tests change it."""
    return {}


@pytest.fixture
def users(node: AuditedNode, clock: SetClock, rules: dict[str, Any]) -> Users:
    """Ada, who has a password, and Mona, who has none."""
    quick = Argon2Hasher(Argon2(time_cost=1, memory_cost=8, parallelism=1))
    made = Users(
        node.governance,
        clock=clock,
        passwords=quick,
        factor_secrets=FACTOR_SECRETS,
        identity=lambda: Identity(**rules),
    )
    made.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    made.add_user(LOCAL_OPERATOR, "mona")
    return made


@pytest.fixture
def app(users: Users, node: AuditedNode, clock: SetClock) -> Callable[[], str]:
    """Ada's phone: the code that it shows now."""

    def code() -> str:
        with node.governance.transaction() as tx:
            factor = tx.second_factors.get("ada")
        assert factor is not None
        return FACTOR_SECRETS.code(factor.sealed, "ada", step_at(clock.now()))

    return code


def enrolled(users: Users, clock: SetClock, app: Callable[[], str]) -> Sequence[str]:
    """Ada sets hers up; gives the recovery codes."""
    users.begin_second_factor(ADA)
    codes = users.confirm_second_factor(ADA, app())
    clock.advance(timedelta(seconds=30))
    return codes


def acts(node: AuditedNode) -> list[tuple[str, str, str, str]]:
    with node.governance.transaction() as tx:
        return [(e.actor, e.action, e.subject, e.result) for e in tx.audit.tail(100)][2:]


def test_until_a_first_code_confirms_it_the_password_is_enough(
    users: Users, clock: SetClock, app: Callable[[], str]
) -> None:
    """Somebody whose phone did not read the picture must not be locked out."""
    users.begin_second_factor(ADA)
    first = users.second_factor("ada").shared
    assert users.authenticate_password("ada", PASSWORD) == ADA
    with pytest.raises(InputError, match="not right"):
        users.confirm_second_factor(ADA, "000000" if app() != "000000" else "111111")
    assert users.authenticate_password("ada", PASSWORD) == ADA
    users.begin_second_factor(ADA)
    again = users.second_factor("ada").shared
    assert first is not None
    assert again is not None
    assert first.text != again.text
    users.confirm_second_factor(ADA, app())
    state = users.second_factor("ada")
    assert (state.is_on, state.recovery_codes_left, state.shared) == (True, 10, None)
    with pytest.raises(CodeNeededError):
        users.authenticate_password("ada", PASSWORD)
    with pytest.raises(RefusedError, match="already"):
        users.begin_second_factor(ADA)
    with pytest.raises(RefusedError, match="no second factor to confirm"):
        users.confirm_second_factor(ADA, app())


def test_confirming_ends_the_sessions_that_a_password_alone_opened(
    users: Users, app: Callable[[], str]
) -> None:
    here, elsewhere = users.open_session(ADA), users.open_session(ADA)
    found = users.session_user(here.secret)
    assert found is not None
    users.begin_second_factor(ADA)
    users.confirm_second_factor(ADA, app(), found.id)
    assert users.session_user(here.secret) is not None
    assert users.session_user(elsewhere.secret) is None


def test_a_code_lets_in_once_and_the_one_of_the_confirmation_not_again(
    users: Users, clock: SetClock, app: Callable[[], str]
) -> None:
    users.begin_second_factor(ADA)
    users.confirm_second_factor(ADA, app())
    with pytest.raises(RefusedError, match="used before"):
        users.authenticate_password("ada", PASSWORD, code=app())
    clock.advance(timedelta(seconds=30))
    code = app()
    assert users.authenticate_password("ada", PASSWORD, code=f"{code[:3]} {code[3:]}") == ADA
    with pytest.raises(RefusedError, match="used before"):
        users.authenticate_password("ada", PASSWORD, code=code)


def test_of_two_who_send_one_code_at_once_one_gets_in(
    users: Users, clock: SetClock, app: Callable[[], str]
) -> None:
    """The colleague who looks over a shoulder and is just as quick."""
    enrolled(users, clock, app)
    halves = [users.begin_password("ada", PASSWORD, "", "/") for _ in range(4)]
    code = app()

    def finish(half: PasswordSignIn | HalfSignIn) -> bool:
        assert isinstance(half, HalfSignIn)
        try:
            users.finish_password(half.secret, code, "")
        except RefusedError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(finish, halves)) == 1


def test_a_recovery_code_lets_in_once_however_it_is_typed(
    users: Users, clock: SetClock, app: Callable[[], str], node: AuditedNode
) -> None:
    codes = enrolled(users, clock, app)
    assert len(set(codes)) == 10
    typed = codes[0].upper().replace("-", " ")
    assert users.authenticate_password("ada", PASSWORD, code=typed) == ADA
    with pytest.raises(RefusedError, match="used before"):
        users.authenticate_password("ada", PASSWORD, code=codes[0])
    assert users.second_factor("ada").recovery_codes_left == 9
    assert ("ada", "user.use_recovery_code", "ada", "done") in acts(node)


def test_who_guesses_codes_is_slowed_down_though_the_password_is_right(
    users: Users, clock: SetClock, app: Callable[[], str], node: AuditedNode
) -> None:
    """A right password must not start the count anew: it is what the thief has."""
    enrolled(users, clock, app)
    wrong = "000000" if app() != "000000" else "111111"
    for _ in range(5):
        half = users.begin_password("ada", PASSWORD, "", "/")
        assert isinstance(half, HalfSignIn)
        with pytest.raises(RefusedError, match="the code is wrong"):
            users.finish_password(half.secret, wrong, "")
    with pytest.raises(RefusedError, match="too many tries"):
        users.begin_password("ada", PASSWORD, "", "/")
    with pytest.raises(RefusedError, match="too many tries"):
        users.finish_password(half.secret, app(), "")
    assert acts(node).count(("node", "user.sign_in", "ada", "refused")) == 5
    clock.advance(timedelta(minutes=6))
    assert users.authenticate_password("ada", PASSWORD, code=app()) == ADA
    assert users.authenticate_password("ada", PASSWORD, code=next(_later(clock, app))) == ADA


def test_codes_count_against_the_address_as_passwords_do(
    users: Users, clock: SetClock, app: Callable[[], str], node: AuditedNode
) -> None:
    enrolled(users, clock, app)
    half = users.begin_password("ada", PASSWORD, "10.0.0.7", "/")
    assert isinstance(half, HalfSignIn)
    with pytest.raises(RefusedError):
        users.finish_password(half.secret, "nonsense", "10.0.0.7")
    with node.governance.transaction() as tx:
        failures = tx.users.failures("address 10.0.0.7")
    assert failures is not None
    assert failures.count == 1
    users.finish_password(half.secret, app(), "10.0.0.7")
    with node.governance.transaction() as tx:
        failures = tx.users.failures("address 10.0.0.7")
    assert failures is not None
    assert failures.count == 1


def test_a_sign_in_in_two_steps_is_finished_once_and_in_time(
    users: Users, clock: SetClock, app: Callable[[], str]
) -> None:
    enrolled(users, clock, app)
    half = users.begin_password("ada", PASSWORD, "", "/runs")
    assert isinstance(half, HalfSignIn)
    with pytest.raises(RefusedError, match="wrong"):
        users.finish_password(half.secret, "nonsense", "")
    assert users.finish_password(half.secret, app(), "") == PasswordSignIn(ADA, "password and code", "/runs")
    clock.advance(timedelta(seconds=30))
    with pytest.raises(RefusedError, match="done already"):
        users.finish_password(half.secret, app(), "")
    late = users.begin_password("ada", PASSWORD, "", "/")
    assert isinstance(late, HalfSignIn)
    clock.advance(timedelta(minutes=11))
    with pytest.raises(RefusedError, match="took too long"):
        users.finish_password(late.secret, app(), "")


def test_who_is_disabled_or_has_lost_the_factor_in_between_does_not_get_in(
    users: Users, clock: SetClock, app: Callable[[], str]
) -> None:
    enrolled(users, clock, app)
    half = users.begin_password("ada", PASSWORD, "", "/")
    assert isinstance(half, HalfSignIn)
    users.disable_user(LOCAL_OPERATOR, "ada")
    with pytest.raises(RefusedError, match="wrong"):
        users.finish_password(half.secret, app(), "")
    users.enable_user(LOCAL_OPERATOR, "ada")
    code = app()
    users.reset_second_factor(LOCAL_OPERATOR, "ada")
    with pytest.raises(RefusedError, match="wrong"):
        users.finish_password(half.secret, code, "")


def test_giving_it_up_takes_password_and_code(
    users: Users, clock: SetClock, app: Callable[[], str], node: AuditedNode
) -> None:
    """Whoever finds a screen that is not locked must not be able to take it away."""
    codes = enrolled(users, clock, app)
    for password, code in (("wrong", app()), (PASSWORD, "nonsense"), (PASSWORD, "")):
        with pytest.raises(RefusedError):
            users.remove_second_factor(ADA, password, code)
    users.remove_second_factor(ADA, PASSWORD, codes[3])
    assert users.authenticate_password("ada", PASSWORD) == ADA
    with pytest.raises(RefusedError, match="no second factor"):
        users.remove_second_factor(ADA, PASSWORD, "")
    assert ("ada", "user.remove_second_factor", "ada", "done") in acts(node)
    assert users.second_factor("ada").recovery_codes_left == 0


def test_an_operator_takes_it_away_and_nobody_their_own(
    users: Users, clock: SetClock, app: Callable[[], str], node: AuditedNode
) -> None:
    enrolled(users, clock, app)
    session = users.open_session(ADA)
    with pytest.raises(RefusedError, match="your own"):
        users.reset_second_factor(ADA, "ada")
    users.reset_second_factor(LOCAL_OPERATOR, "ada")
    assert users.session_user(session.secret) is None
    assert users.authenticate_password("ada", PASSWORD) == ADA
    with pytest.raises(NotFoundError):
        users.reset_second_factor(LOCAL_OPERATOR, "ada")
    assert acts(node)[:2] == [
        ("ada", "user.begin_second_factor", "ada", "done"),
        ("ada", "user.add_second_factor", "ada", "done"),
    ]
    assert ("local-operator", "user.reset_second_factor", "ada", "done") in acts(node)


def test_where_it_is_required_a_session_without_one_is_for_setting_it_up_alone(
    users: Users, clock: SetClock, app: Callable[[], str], rules: dict[str, Any]
) -> None:
    before = users.open_session(ADA)
    rules["second_factor"] = "required"
    with pytest.raises(RefusedError, match="second factor first"):
        users.authenticate_password("ada", PASSWORD)
    for session in (before, users.open_session(ADA)):
        found = users.session_user(session.secret)
        assert found is not None
        assert found.must_enrol
    assert users.second_factor("ada").required
    enrolled_in = users.session_user(before.secret)
    assert enrolled_in is not None
    users.begin_second_factor(ADA)
    users.confirm_second_factor(ADA, app(), enrolled_in.id)
    found = users.session_user(before.secret)
    assert found is not None
    assert not found.must_enrol
    clock.advance(timedelta(seconds=30))
    assert users.authenticate_password("ada", PASSWORD, code=app()) == ADA


def test_who_has_no_password_here_is_not_asked_for_one(users: Users, rules: dict[str, Any]) -> None:
    """A program's user, whose token an operator made, must go on."""
    rules["second_factor"] = "required"
    token = users.issue_token(LOCAL_OPERATOR, "mona")
    assert not users.authenticate_token(token.secret).must_enrol
    assert not users.second_factor("mona").possible
    with pytest.raises(RefusedError, match="no password"):
        users.begin_second_factor(Actor("mona"))


def test_no_secret_and_no_code_is_in_the_database_or_the_audit_log(
    users: Users, clock: SetClock, app: Callable[[], str], node: AuditedNode
) -> None:
    users.begin_second_factor(ADA)
    shared = users.second_factor("ada").shared
    assert shared is not None
    codes = users.confirm_second_factor(ADA, app())
    half = users.begin_password("ada", PASSWORD, "", "/")
    assert isinstance(half, HalfSignIn)
    with pytest.raises(RefusedError):
        users.finish_password(half.secret, "314159", "")
    dump = ""
    with node.database.engine("owner").connect() as connection:
        for table in ("second_factors", "recovery_codes", "pending_sign_ins"):
            dump += str(connection.execute(text(f"SELECT * FROM governance.{table}")).all())  # noqa: S608
    with node.governance.transaction() as tx:
        dump += "".join(entry.canonical().decode() for entry in tx.audit.tail(100))
    bare = [code.replace("-", "") for code in codes]
    assert not [secret for secret in (shared.text, *codes, *bare, half.secret, "314159") if secret in dump]


def test_a_secret_that_was_put_into_another_row_opens_nothing(
    users: Users, clock: SetClock, app: Callable[[], str], node: AuditedNode
) -> None:
    """Eve can write to the database, and puts the secret of her own phone in the place of Ada's."""
    enrolled(users, clock, app)
    eves = FACTOR_SECRETS.new("eve")
    with node.database.engine("owner").begin() as connection:
        connection.execute(text("UPDATE governance.second_factors SET sealed = :eves"), {"eves": eves})
    code = FACTOR_SECRETS.code(eves, "eve", step_at(clock.now()))
    with pytest.raises(IntegrityError, match="cannot be opened"):
        users.authenticate_password("ada", PASSWORD, code=code)


def _later(clock: SetClock, app: Callable[[], str]) -> Any:
    while True:
        clock.advance(timedelta(seconds=30))
        yield app()
