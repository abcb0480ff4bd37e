"""A project that puts what it read of a patient into everything that has a name, a message or a place."""

import contextlib
import re
import sys
from collections.abc import Iterator

import dagster as dg

from leaker.by_hand import call_by_hand
from phems.contract.runtime import current_runtime
from phems.project import DataSource, outputs

COUNTS = "sex,patients\nf,120\nm,140\n"


@dg.op(out=dg.DynamicOut(str))
def find_patients(source: DataSource) -> Iterator[dg.DynamicOutput[str]]:
    """A step for each patient, called like the patient."""
    patient = source.path().read_text().splitlines()[1].partition(",")[0]
    yield dg.DynamicOutput(patient, mapping_key=re.sub(r"\W", "_", patient))


@dg.op
def tell_of(context: dg.OpExecutionContext, patient: str) -> str:
    """Says it in every way there is while the step goes well."""
    print(f"printed {patient}")
    print(f"printed {patient}", file=sys.stderr)
    context.log.error("logged %s", patient)
    context.add_output_metadata({patient: patient})
    context.log_event(dg.AssetMaterialization(["leaker", patient], metadata={patient: patient}))
    column = re.sub(r"\W", "_", patient)
    described = {
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(column, patient)]),
        "dagster/column_lineage": dg.TableColumnLineage(
            {column: [dg.TableColumnDep(dg.AssetKey(["leaker", patient]), column)]}
        ),
    }
    context.log_event(dg.AssetMaterialization(["leaker", "table"], metadata=described))
    disclosure = {"kind": "other", "population": patient, "unit": patient}
    with outputs.open_binary(context, f"{patient}.csv", disclosure=disclosure) as file:
        file.write(COUNTS.encode())
    outputs.write_bytes(context, f"{patient}.exe", patient.encode())
    outputs.write_text(context, "counts.csv", COUNTS)
    return patient


@dg.op
def overstep(context: dg.OpExecutionContext, patient: str) -> str:
    """Asks for what is refused, with the patient in the question."""
    runtime = current_runtime()
    assert runtime is not None
    for path in (f"../{patient}", f"outputs/{context.run_id}/{patient}.absent"):
        with contextlib.suppress(Exception):
            runtime.outputs.register(path)
    for ask in (
        lambda: context.instance.delete_run(patient),
        lambda: context.instance.add_run_tags(context.run_id, {f"phems/{patient}": patient}),
        lambda: context.instance.wipe_assets([dg.AssetKey([patient])]),
        lambda: context.instance.get_run_by_id(patient),
    ):
        with contextlib.suppress(Exception):
            ask()
    for storage, method in (("runs", patient), (patient, patient), ("capability", patient)):
        with contextlib.suppress(Exception):
            call_by_hand(storage, method, patient)
    with contextlib.suppress(Exception):
        call_by_hand("runs", "get_run_by_id", {patient: patient})
    for storage, method, args in (
        ("events", "store_event", [patient]),
        ("runs", "get_runs", [None, patient, patient]),
        ("runs", "get_run_records", [None, patient, patient, patient]),
        ("events", "get_logs_for_run", [context.run_id, patient]),
        ("events", "get_records_for_run", [context.run_id, patient, {patient: patient}]),
        ("events", "get_dynamic_partitions", [patient]),
        ("runs", "get_run_tags", [[patient]]),
        ("outputs", "register", [{patient: patient}]),
        ("capability", "renew", [patient]),
    ):
        with contextlib.suppress(Exception):
            call_by_hand(storage, method, *args)
    return patient


@dg.op
def fail_with(patient: str) -> None:
    """Ends in an error whose message is the patient."""
    raise dg.Failure(description=patient, metadata={patient: patient}) from ValueError(patient)


@dg.job
def leak() -> None:
    """Everything at once."""
    find_patients().map(lambda patient: fail_with(overstep(tell_of(patient))))


@dg.sensor(job=leak, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def ask() -> Iterator[dg.RunRequest]:
    """Asks for runs that are refused, with words that it cannot have from data: no code server sees any."""
    words = "CANARY-PATIENT-7f3a9"
    yield dg.RunRequest(run_key=words, tags={words: words, f"phems/{words}": words})
    yield dg.RunRequest(run_key=words, partition_key=words, asset_selection=[dg.AssetKey([words])])


defs = dg.Definitions(jobs=[leak], sensors=[ask], resources={"source": DataSource(source="patients")})
