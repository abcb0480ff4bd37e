# Sourced: a project whose second step fails the first time, and a run of it that failed, in $FAILED.
mkdir -p ../two-steps-code/src/two_steps
touch ../two-steps-code/src/two_steps/__init__.py
cat > ../two-steps-code/src/two_steps/definitions.py <<'END'
from dagster import Definitions, job, op

from phems.project import ProjectIOManager
from phems.project.artifact_area import artifact_dir


@op
def first() -> int:
    return 1


@op
def second(number: int) -> int:
    seen = artifact_dir() / "seen"
    if not seen.exists():
        seen.touch()
        raise ValueError("not the first time")
    return number


@job(resource_defs={"io_manager": ProjectIOManager()})
def both():
    second(first())


defs = Definitions(jobs=[both])
END
git -C ../two-steps-code init --quiet --initial-branch=main
git -C ../two-steps-code add .
git -C ../two-steps-code -c user.name=Ana -c user.email=ana@hospital.example commit --quiet -m "Two steps"
python3 "$CHECKOUT/tests/docs/merge_yaml.py" node.yaml <<'END'
projects:
  two-steps:
    code: {repo: ../two-steps-code}
    members: {data_analyst: [ana], information_asset_owner: [iris], output_checker: [carol, dmitri]}
END
phems serve > serve.log 2>&1 &
phems status --wait
PHEMS_TOKEN=$ANA phems code submit --project two-steps
PHEMS_TOKEN=$IRIS phems code approve --project two-steps "$(git -C ../two-steps-code rev-parse HEAD)"
phems status --wait --project two-steps
if PHEMS_TOKEN=$ANA phems run launch two-steps both; then echo "The run did not fail."; exit 1; fi
FAILED=$(PHEMS_TOKEN=$ANA phems run list --project two-steps --json |
  python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')
