"""In which forms the messages of a contract are read, from the settings and what lies beside its file."""

from __future__ import annotations

from dataflow.contract import Contract
from dataflow.decoder import Decoder
from dataflow.model import MessageFormat
from dataflow.protobuf import schema
from dataflow.protobuf.schema import ProtobufMismatch, ProtobufSchema
from dataflow.settings import Settings


def only_json(settings: Settings) -> str | None:
    """That either form is looked for and only one can be found, for people; None: that is not so."""
    path = settings.contract
    if settings.message_format is not MessageFormat.AUTO or path is None or schema.has_form(path):
        return None
    lies = schema.beside(path)
    return (
        f"no Protobuf form lies beside {path}: every message is read as JSON; copy {lies.record.name} and "
        f"{lies.descriptors.name} with the contract, make them with `contract proto`, or set "
        "MESSAGE_FORMAT=json"
    )


def protobuf_of(settings: Settings, contract: Contract) -> ProtobufSchema | None:
    """The contract's Protobuf form. Raises ProtobufMismatch, also when one is asked for and there is none."""
    found = schema.load(contract, settings.contract)
    if found is None and settings.message_format is MessageFormat.PROTOBUF:
        raise ProtobufMismatch(
            contract.name,
            ["MESSAGE_FORMAT=protobuf, and beside the contract file lies no X.tags.toml with X.binpb"],
        )
    if found is None and contract.terms.kafka.format == "protobuf":
        raise ProtobufMismatch(
            contract.name,
            [
                "its Kafka server says format: protobuf, and beside the file lies no X.tags.toml with "
                "X.binpb; `contract proto` writes both"
            ],
        )
    return found


def decoder_of(settings: Settings, contract: Contract) -> Decoder:
    """How the topic's messages are read. Raises ProtobufMismatch."""
    found = protobuf_of(settings, contract)
    return Decoder(contract, found, settings.message_format, settings.message_framing)
