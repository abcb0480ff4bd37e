"""Column names that announce a direct identifier, in the languages of a European federation."""

from __future__ import annotations

import re
import unicodedata

from phems.domain.output_checks import Verdict

# Names of one person's own: whoever releases such a column releases persons.
DIRECT = frozenset(
    """
    address adresse direccion indirizzo osoite adres street strasse rue calle
    bsn burgerservicenummer cpr dni nie nif hetu henkilotunnus insz nir nrn pesel pps personnummer
    codice_fiscale codicefiscale cf_paziente fodselsnummer kvnr krankenversichertennummer versichertennummer
    birth_date birthdate birthday date_of_birth dob fecha_nacimiento fecha_de_nacimiento data_di_nascita
    data_nascita geboortedatum geburtsdatum date_de_naissance date_naissance fodelsedatum syntymaaika
    email e_mail mail_address phone phone_number telephone telefon telefono telefoon mobile_number puhelin
    first_name firstname forename given_name last_name lastname surname family_name maiden_name full_name
    vorname nachname familienname nombre apellido apellidos cognome etunimi sukunimi voornaam achternaam
    prenom nom_de_famille fornamn efternamn patient_name name_of_patient
    nhs nhs_no nhs_number chi_number mrn medical_record_number hospital_number patient_id patientid
    patient_number patient_no subject_id subjectid person_id personid pseudonym record_id recordid
    passport passport_number ssn social_security_number national_id ip ip_address
    """.split()  # noqa: SIM905 - a list of words reads better
)

# Names that may be one: a person looks.
POSSIBLE = frozenset(
    """
    id ident identifier uid uuid guid code_patient case_id study_id participant participant_id pid
    name nome naam nimi namn nom birth born naissance nascita geburt geboorte year_of_birth birth_year yob
    postcode post_code postal_code plz zip zip_code codigo_postal postinumero
    admission_date discharge_date date_of_admission date_of_death death_date dod
    gp consultant doctor clinician initials
    """.split()  # noqa: SIM905 - a list of words reads better
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a column name: accents dropped, lower case, `camelCase` and `snake_case` alike."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return tuple(word.lower() for word in _WORD.findall(plain))


def verdict_on(name: str) -> Verdict:
    """`fail` for the name of a direct identifier, `review` for what may be one, else `pass`.

    A direct one is recognised at the end of a longer name too: `mother_date_of_birth` is one, and
    `patient_id_count` is not. What may be one is recognised whole, but for ids of whatever kind.
    """
    words = words_of(name)
    whole = {"_".join(words), "".join(words)}
    tails = {"_".join(words[start:]) for start in range(len(words))}
    if (tails | whole) & DIRECT:
        return Verdict.FAIL
    return Verdict.REVIEW if whole & POSSIBLE or words[-1:] == ("id",) else Verdict.PASS


def is_of_birth(name: str) -> bool:
    """Whether a column of dates under this name is one of dates of birth."""
    return not {"birth", "born", "dob", "nacimiento", "nascita", "geburt", "naissance"}.isdisjoint(
        words_of(name)
    ) or any(word.startswith(("geburts", "geboorte", "fodelse", "syntyma")) for word in words_of(name))
