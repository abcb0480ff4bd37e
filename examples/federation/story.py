"""The story: three rounds of federated averaging between two nodes, each claim checked as it is told."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from examples.federation import people
from examples.federation.coordinator.federation import Federation, Node, read_federation
from examples.federation.coordinator.models import model_path, version_of
from examples.federation.coordinator.packages import opened
from examples.federation.coordinator.rounds import Averaged, begin, run_round
from examples.federation.hospitals import PROJECT, STUDY, Place, make
from examples.federation.make_data import make_data
from examples.federation.nodes import At, hospitals_at_work, serving

from phems.cli.demo_terminal import Teller
from phems.errors import InputError, IntegrityError

ROUNDS = 3
UPDATE_SECONDS = 60.0
# How far the federated model may be from the pooled one. Twenty steps in a round let each hospital drift
# towards its own patients, so it is close and not equal.
AUC_APART = 0.01
COEFFICIENTS_APART = 0.1


@dataclass
class Story:
    """What the chapters share."""

    folder: Path
    teller: Teller
    places: list[Place] = field(default_factory=list)
    data: dict[str, Path] = field(default_factory=dict)
    joined: dict[str, people.Joined] = field(default_factory=dict)
    rounds: list[Averaged] = field(default_factory=list)

    @property
    def hub(self) -> Path:
        """The coordinator's folder."""
        return self.folder / "hub"


def tell(folder: Path) -> None:
    """Tell it from a fresh folder; `ClaimFailedError` when something does not hold."""
    # Ended from outside as by Ctrl-C: the nodes that were started must not be left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    teller = Teller()
    story = Story(folder, teller)
    _clear(folder)
    story.data = make_data(folder / "data")
    story.places = make(folder, story.data)
    with serving(story.places), hospitals_at_work(story.places) as everywhere:
        with teller.stage(1, "Two hospitals, two nodes, and a coordinator without data"):
            _join(story, everywhere)
        for number in range(1, ROUNDS + 1):
            with teller.stage(number + 1, f"Round {number}"):
                _round(story, everywhere, number)
    with teller.stage(ROUNDS + 2, "The coordinator believes nobody"):
        _refuse(story)
    with teller.stage(ROUNDS + 3, "Beside models that nobody could train"):
        _compare(story)
    teller.say(f"\nAll {teller.claims} claims held, in {teller.seconds:.0f} s.")


def _join(story: Story, everywhere: At) -> None:
    teller = story.teller
    teller.progress("starting both nodes")
    story.joined = dict(everywhere(people.join))
    _tell_typed(story, {name: joined.typed for name, joined in story.joined.items()})
    digests = {joined.code_digest for joined in story.joined.values()}
    teller.claim(
        f"both analysts submitted the code that was agreed on, {min(digests)[:12]}",
        holds=len(digests) == 1,
        seen=digests,
    )
    (story.hub / "tokens").mkdir(parents=True, mode=0o700)
    for name, joined in story.joined.items():
        token = story.hub / "tokens" / name
        token.touch(mode=0o600)
        token.write_text(joined.token)
    agreed = {
        "coefficients": STUDY["COEFFICIENTS"],
        "code_digest": digests.pop(),
        "nodes": {
            name: {"url": joined.url, "project": PROJECT, "public_key": joined.public_key}
            for name, joined in story.joined.items()
        },
    }
    (story.hub / "federation.json").write_text(json.dumps(agreed, indent=2))
    begin(story.hub, tuple(STUDY["COEFFICIENTS"]))
    for place in story.places:
        shutil.copyfile(model_path(story.hub, 1), place.global_model)
    teller.progress("both owners approve the code")
    typed = everywhere(people.approve, {name: (joined.commit,) for name, joined in story.joined.items()})
    _tell_typed(story, typed)
    keys = {joined.public_key for joined in story.joined.values()}
    teller.claim("the coordinator has two public keys, two tokens and no patient", holds=len(keys) == 2)


def _round(story: Story, everywhere: At, number: int) -> None:
    teller, federation = story.teller, read_federation(story.hub)
    sent = (number, model_path(story.hub, number), version_of(story.hub, number))
    teller.progress("both hospitals train, and review what they would send")
    trained = everywhere(people.one_round, dict.fromkeys(story.joined, sent))
    if number == 1:
        _tell_typed(story, {name: did.typed for name, did in trained.items()})
    teller.claim(
        f"nobody trains unasked: {trained['alder'].refusal}",
        holds=all("capsule" in did.refusal for did in trained.values()),
        seen=trained,
    )
    teller.claim(
        f"both owners approved the model {sent[2][:19]}, byte for byte what the coordinator sent",
        holds=all(did.seen_version == sent[2] for did in trained.values()),
        seen=trained,
    )
    teller.claim(
        "both updates passed the output checks, and two checkers of each hospital let them go",
        holds=all(did.verdicts and set(did.verdicts.values()) == {"pass"} for did in trained.values()),
        seen=trained,
    )
    teller.progress("the coordinator fetches, verifies and averages")
    averaged = run_round(federation, number, wait=UPDATE_SECONDS)
    story.rounds.append(averaged)
    everybody = sum(averaged.patients.values())
    model = ", ".join(f"{name} {value:.2f}" for name, value in averaged.model.items())
    teller.claim(
        f"the coordinator verified both packages, and averaged over {everybody} patients: {model}",
        holds=averaged.packages == {name: did.request for name, did in trained.items()},
        seen=averaged,
    )


def _refuse(story: Story) -> None:
    federation = read_federation(story.hub)
    alder, birch = federation.nodes
    first = story.hub / "rounds" / "1" / alder.name / story.rounds[0].packages[alder.name]
    for what, node, number in (
        ("a package of round 1 that is offered again", alder, ROUNDS),
        ("a package that another hospital signed", birch, 1),
    ):
        error = _refusal(federation, node, first, number)
        story.teller.claim(f"{what} is not taken: {error}", holds=bool(error), seen=first)


def _refusal(federation: Federation, node: Node, package: Path, number: int) -> str:
    try:
        opened(federation, node, package, number)
    except IntegrityError as error:
        return error.why
    return ""


def _compare(story: Story) -> None:
    teller = story.teller
    teller.progress("the referee fits the models that nobody in the federation could")
    from examples.federation.referee import scores

    found = scores(story.data, story.rounds[-1].model)
    teller.say("       model         patients    AUC  log loss  farthest coefficient from pooled")
    for score in found:
        teller.say(
            f"       {score.model:12}  {score.patients:8}  {score.auc:.3f}"
            f"     {score.log_loss:.3f}  {score.distance:.2f}"
        )
    by_model = {score.model: score for score in found}
    federated, pooled = by_model["federated"], by_model["pooled"]
    teller.claim(
        f"on patients of neither hospital the federated model's AUC is the pooled one's within {AUC_APART}",
        holds=abs(federated.auc - pooled.auc) <= AUC_APART,
        seen=found,
    )
    alone = min(score.distance for score in found if score.model.endswith("alone"))
    teller.claim(
        f"its coefficients are the pooled ones within {COEFFICIENTS_APART}; no hospital's alone are",
        holds=federated.distance <= COEFFICIENTS_APART < alone,
        seen=found,
    )


def _tell_typed(story: Story, typed: Mapping[str, list[tuple[str, str]]]) -> None:
    """The commands of one hospital; the other's people typed the same."""
    first = story.places[0].hospital.name
    for who, words in typed[first]:
        story.teller.command(f"{who}@{first}", f"phems {words}")


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "hub").is_dir():
            raise InputError(
                f"{folder} is not a folder of this example.",
                why="it has no hub/, and what is in it would be removed.",
                remedy="Name another with --folder.",
            )
        for path in folder.rglob("*"):  # approved code and packages are read-only
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
