"""Made-up people, Chinese and others, with the slips of those who type them: the same for the same seed."""

from __future__ import annotations

import random

from faker import Faker

from enrich.match.record import Record, record_of

Fields = dict[str, list[str]]


def made_records(count: int, seed: int = 1) -> list[Record]:
    """Return so many records, half of them of people met before, some fields missing and some mistyped.

    Their ids begin with the number of the person.
    """
    chance = random.Random(seed)
    chinese, english = Faker("zh_CN"), Faker("en_US")
    for faker in (chinese, english):
        faker.seed_instance(seed)
    people: list[Fields] = []
    records = []
    for number in range(count):
        if people and chance.random() < 0.5:
            person = chance.randrange(len(people))
            fields = _again(people[person], chance)
        else:
            person = len(people)
            fields = _person(chinese if chance.random() < 0.6 else english, chance)
            people.append(fields)
        records.append(record_of(f"{person}-{number}", fields))
    return records


def same_person(one: Record, other: Record) -> bool:
    """Tell whether two made records are of one person."""
    return one.record_id.partition("-")[0] == other.record_id.partition("-")[0]


def _person(faker: Faker, chance: random.Random) -> Fields:
    birth = faker.date_of_birth(minimum_age=18, maximum_age=80)
    fields = {
        "full_name": [faker.name()],
        "phone": [faker.phone_number()],
        "email": [faker.email(safe=False)],
        "company": [faker.company()],
        "address": [faker.street_address()],
        "city": [faker.city()],
        "postcode": [faker.postcode()],
        "birth_date": [birth.isoformat()],
        "national_id": [faker.ssn()],
        "other": [faker.job()],
    }
    if chance.random() < 0.1:
        fields["phone"].append(faker.phone_number())
        fields["full_name"].append(faker.name())
    return {name: values for name, values in fields.items() if chance.random() < 0.8}


def _again(fields: Fields, chance: random.Random) -> Fields:
    kept = {name: list(values) for name, values in fields.items() if chance.random() < 0.85}
    for values in kept.values():
        if chance.random() < 0.3:
            values[0] = _slip(values[0], chance)
    return kept


def _slip(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    match chance.randrange(4):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + text[at : at + 1] * 2 + text[at + 1 :]
        case 2:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        case _:
            return text[:at] + chance.choice("aeiou0189王李强明") + text[at + 1 :]
