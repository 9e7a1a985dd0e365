"""`config`: the settings in force."""

from __future__ import annotations

from typing import TextIO

from dataflow.commands.access import topics_of
from dataflow.commands.forms import only_json
from dataflow.contract import Contract
from dataflow.settings import Effective, Origin, Settings


def show(settings: Settings, contract: Contract, out: TextIO) -> int:
    """One line a setting: name, value (secrets hidden), where it came from; then what follows from them."""
    topics = topics_of(settings, contract)
    from_contract = Origin.CONTRACT if settings.topic is None else Origin.DERIVED
    elsewhere = {
        "KAFKA_TOPIC": Effective("KAFKA_TOPIC", topics.source, Origin.CONTRACT),
        "KAFKA_CONTACTS_TOPIC": Effective("KAFKA_CONTACTS_TOPIC", topics.contacts, from_contract),
        "KAFKA_DEAD_LETTERS_TOPIC": Effective("KAFKA_DEAD_LETTERS_TOPIC", topics.dead_letters, from_contract),
        "KAFKA_GROUP": Effective("KAFKA_GROUP", settings.group, Origin.DERIVED),
        "SOURCE_ID": Effective("SOURCE_ID", topics.source, Origin.DERIVED),
    }
    wide = max(len(each.name) for each in settings.effective)
    for given in settings.effective:
        each = given if given.shown else elsewhere.get(given.name, given)
        value = each.shown or "-"
        print(f"{each.name:<{wide}}  {value:<40}  {each.origin.value}", file=out)
    if (told := only_json(settings)) is not None:
        print(f"\n{told}", file=out)
    return 0
