"""Direct identifiers: found where they are written plainly, and counts are not taken for them."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stdnum.gb import nhs
from tests.unit.output_checks.conftest import Look, verdicts

from phems.domain.output_checks import Verdict
from phems.output_checks.identifiers.check import CHECK
from phems.output_checks.identifiers.column_names import is_of_birth, verdict_on
from phems.output_checks.identifiers.numbers import NUMBERS, is_kvnr

# Published examples of each number, none of a living person; beside each, one that is not valid.
EXAMPLES = {
    "NHS number": ("943 476 5870", "943 476 5871"),
    "Spanish DNI": ("54362315K", "54362315Z"),
    "Spanish NIE": ("X-2482300W", "X-2482300A"),
    "Italian codice fiscale": ("RCCMNL83S18D969H", "RCCMNL83S18D969A"),
    "Finnish HETU": ("131052-308T", "131052-308U"),
    "Dutch BSN": ("111222333", "111252333"),
    "German KVNR": ("A123456780", "A123456781"),
    "French NIR": ("2 95 10 99 126 111 93", "2 95 10 99 126 111 94"),
    "Belgian national number": ("85.07.30-033 28", "85.07.30-033 29"),
    "Swedish personnummer": ("880320-0016", "880320-0018"),
    "Norwegian fødselsnummer": ("151086 95088", "151086 95077"),
    "Danish CPR": ("211062-5629", "511062-5629"),
    "Polish PESEL": ("44051401359", "44051401358"),
    "Estonian isikukood": ("36805280109", "36805280108"),
    "Czech rodné číslo": ("710319/2745", "710319/2746"),
    "Romanian CNP": ("1630615123457", "1630615123458"),
    "Swiss AHV number": ("756.9217.0769.85", "756.9217.0769.84"),
    "Irish PPS number": ("6433435F", "6433435E"),
}


def nhs_numbers(count: int) -> list[str]:
    """Numbers whose check digit holds, drawn at random."""
    draw = random.Random(7)  # noqa: S311 - made up, not secret
    found: list[str] = []
    while len(found) < count:
        number = str(draw.randrange(10**9, 10**10))
        if nhs.is_valid(number):
            found.append(number)
    return found


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_each_number_is_known_by_its_check_digits(number, look: Look) -> None:  # type: ignore[no-untyped-def]
    """Otherwise patients of one country leave the node by number."""
    valid, invalid = EXAMPLES[number.name]
    assert number.is_valid(valid)
    assert not number.is_valid(invalid)
    found = look(CHECK, "table.csv", f'code,patients\n"{valid}",12\n')
    assert any(one.verdict is Verdict.FAIL and one.evidence.get("identifier") == number.name for one in found)


def test_a_kvnr_needs_its_letter() -> None:
    """Otherwise any ten characters are taken for a German insurance number."""
    assert is_kvnr("a123456780")
    assert not is_kvnr("1234567890")
    assert not is_kvnr("")
    assert not is_kvnr("A12345678X")


def test_numbers_are_found_inside_texts_and_other_files(look: Look) -> None:
    """Otherwise a note or a JSON value carries them out."""
    for name, content in (
        ("a.csv", "note,n\nsee 943-476-5870 for more,1\n"),
        ("a.csv", "9434765870,12\n9434765870,13\n"),
        ("a.csv", "code;n\n9434765870;12\n"),
        ("a.json", '{"who": "943 476 5870"}'),
        ("a.md", "The patient 9434765870 did well.\n"),
        ("a.tsv", "code\tn\n943 476 5870\t1\n"),
    ):
        assert Verdict.FAIL in verdicts(look(CHECK, name, content)), (name, content)


def test_numbers_in_parquet_are_found_as_numbers_too(look: Look, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Otherwise an identifier leaves as a float or an integer column."""
    numbers = [int(number) for number in nhs_numbers(30)]
    for values in (
        pa.array(numbers),
        pa.array([float(number) for number in numbers]),
        pa.array(map(str, numbers)),
    ):
        pq.write_table(pa.table({"code": values}), tmp_path / "table.parquet")
        [found] = look(CHECK, "table.parquet", (tmp_path / "table.parquet").read_bytes())
        assert (found.verdict, found.evidence["valid"]) == (Verdict.FAIL, 30)
    dictionary = pa.table({"code": pa.array(map(str, numbers)).dictionary_encode()})
    pq.write_table(dictionary, tmp_path / "table.parquet")
    assert verdicts(look(CHECK, "table.parquet", (tmp_path / "table.parquet").read_bytes())) == {Verdict.FAIL}


def test_counts_of_ten_digits_are_told_from_nhs_numbers(look: Look) -> None:
    """Otherwise every table of large numbers fails, and nobody believes the check."""
    draw = random.Random(7)  # noqa: S311 - made up, not secret
    rows = "".join(f"{draw.randrange(10**9, 10**10)},5\n" for _ in range(500))
    [found] = look(CHECK, "table.csv", f"cost,n\n{rows}")
    assert found.verdict is Verdict.REVIEW
    assert found.evidence["valid"] < found.evidence["of_this_shape"] / 5
    mixed = "".join(f"{number},5\n" for number in nhs_numbers(400))
    assert verdicts(look(CHECK, "table.csv", f"cost,n\n{rows}{mixed}")) == {Verdict.REVIEW}


def test_what_a_table_of_results_holds_passes(look: Look) -> None:
    """Otherwise good results are held back."""
    content = (
        "stratum,group,day,at_risk,survival,p\n"
        "sex,female,365,200,0.8123456789,1.5e-10\n"
        "sex,male,730,,NA,-0.1\n"
    )
    assert verdicts(look(CHECK, "table.csv", content)) == {Verdict.PASS}
    assert verdicts(look(CHECK, "model.json", '{"beta": 0.1234567891, "patients": 500}')) == {Verdict.PASS}


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ("jane.doe@example.org", Verdict.FAIL),
        ("+44 20 7946 0958", Verdict.FAIL),
        ("0049 30 901820", Verdict.FAIL),
        ("020 7946 0958", Verdict.REVIEW),
        ("SW1A 1AA", Verdict.REVIEW),
        ("2024-05-06", Verdict.REVIEW),
        ("6.5.2024", Verdict.REVIEW),
        ("born 03/04/2015", Verdict.FAIL),
        ("dob: 2015-04-03", Verdict.FAIL),
        ("geb. 3.4.2015", Verdict.FAIL),
    ],
)
def test_what_reaches_or_dates_a_person_is_found(look: Look, content: str, verdict: Verdict) -> None:
    """Otherwise somebody can be written to, or told by their birthday."""
    assert verdict in verdicts(look(CHECK, "table.csv", f"what,n\n{content},10\n"))


def test_dates_in_a_column_of_births_fail(look: Look) -> None:
    """Otherwise birthdays leave under the name of an ordinary date."""
    found = look(CHECK, "table.csv", "mother_birth,n\n2015-04-03,10\n")
    assert Verdict.FAIL in verdicts(found)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "patient_id",
            "PatientID",
            "NHS Number",
            "mother_date_of_birth",
            "geburtsdatum",
            "Apellidos",
            "cognome",
        ),
        *("etunimi", "codice_fiscale", "DNI", "e-mail", "Fødselsnummer".replace("ø", "o"), "surname", "HETU"),
    ],
)
def test_names_of_identifiers_are_known(name: str) -> None:
    """Otherwise a column of identifiers passes for data."""
    assert verdict_on(name) is Verdict.FAIL


@pytest.mark.parametrize("name", ["id", "ward_id", "name", "postcode", "Year of birth", "PLZ"])
def test_names_that_may_identify_are_for_people(name: str) -> None:
    """Otherwise nobody looks at a column called id."""
    assert verdict_on(name) is Verdict.REVIEW


@pytest.mark.parametrize(
    "name", ["patient_id_count", "patients", "ward", "age_group", "birthweight", "survival", "", "n", "day"]
)
def test_ordinary_names_pass(name: str) -> None:
    """Otherwise every table is held back."""
    assert verdict_on(name) is Verdict.PASS


def test_columns_of_births_are_known_in_several_languages() -> None:
    """Otherwise dates of birth are taken for dates."""
    assert all(map(is_of_birth, ("birth_date", "DOB", "geburtstag", "data di nascita", "syntymaaika")))
    assert not is_of_birth("admission")


def test_keys_of_json_are_names(look: Look) -> None:
    """Otherwise JSON rows carry what a table could not."""
    found = look(CHECK, "rows.json", '[{"patient_id": 1}, {"ward_id": 2}]')
    assert verdicts(found) == {Verdict.FAIL, Verdict.REVIEW}


def test_very_many_values_are_for_people(look: Look) -> None:
    """Otherwise a large file hides one number behind a great many others, or takes for ever."""
    rows = "".join(f"{number:012d}\n" for number in range(60_000))
    [found] = look(CHECK, "table.csv", f"code\n{rows}")
    assert found.verdict is Verdict.REVIEW
    assert found.evidence["values"] > found.evidence["seen"]


def test_a_number_across_a_cut_of_a_long_line_is_found(look: Look) -> None:
    """Otherwise a line without an end hides numbers."""
    content = "x" * (65_536 - 5) + " 943 476 5870 " + "y" * 10
    assert Verdict.FAIL in verdicts(look(CHECK, "a.txt", content))


def test_pictures_have_no_text(look: Look) -> None:
    """Otherwise the check says of a picture what it cannot know."""
    assert look(CHECK, "a.png", b"\x89PNG") == []
