# Sourced: wait until the newest run has ended.
newest() { PHEMS_TOKEN=$ANA phems run list --project two-steps --limit 1 --json; }
until newest | grep --quiet -E '"status": "(SUCCESS|FAILURE)"'; do sleep 1; done
newest > newest.json
PHEMS_TOKEN=$ANA phems run show "$(python3 -c 'import json; print(json.load(open("newest.json"))[0]["id"])')" > steps.txt
if grep --quiet "^first" steps.txt; then echo "The first step ran again:"; cat steps.txt; exit 1; fi
