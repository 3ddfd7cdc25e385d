"""A document of AsyncAPI 2.x or 3.x, read: the messages of each topic, and what its channel says of them."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from .canonical import canonical
from .schema import Undecided
from .schema.reading import Document

MAX_HOPS = 10
Reader = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]  # a message of a document


def messages_of(
    document: Mapping[str, Any], action: str, *, elsewhere: bool = False
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """What it sends, or receives: topic -> message's name -> message. Raises Undecided for references that can't be
    followed. ``elsewhere``: of a message that stands in another file its reference is shown in its place.
    """
    read = _message_or_reference if elsewhere else _message
    if str(document.get("asyncapi", "")).startswith("2"):
        return _messages_of_2(document, {"send": "subscribe", "receive": "publish"}[action], read)
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, part in mapping(document.get("operations")).items():
        operation = resolved(document, part)
        reply = resolved(document, operation.get("reply"))
        if operation.get("action") == action:
            topic, messages = _of_channel(document, operation, f"channel of {name}", read)
            found.setdefault(topic, {}).update(messages)
        elif reply:  # who is asked answers
            topic, messages = _of_channel(document, reply, f"answers of {name}", read)
            found.setdefault(topic, {}).update(messages)
    return found


def _of_channel(
    document: Mapping[str, Any], operation: Mapping[str, Any], unnamed: str, read: Reader
) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """The topic of an operation or a reply, and its messages: those that it lists, or all of its channel.
    ``unnamed``: the topic where the address is known at run time alone.
    """
    channel = resolved(document, operation.get("channel"))
    there = mapping(channel.get("messages"))
    listed = operation.get("messages")
    if isinstance(listed, list):
        chosen = {id(_followed(document, one)) for one in listed}
        kept = {name: one for name, one in there.items() if id(_followed(document, one)) in chosen}
        # A reply without a channel lists messages that stand elsewhere.
        there = kept if there else {_reference(one) or f"message {n}": one for n, one in enumerate(listed)}
    topic = _topic(document, channel, str(channel.get("address") or unnamed))
    return topic, {name: read(document, one) for name, one in there.items()}


def _topic(document: Mapping[str, Any], channel: Mapping[str, Any], address: str) -> str:
    """A topic of Kafka may have another name than its channel (Kafka bindings 0.5)."""
    kafka = _members(document, channel.get("bindings")).get("kafka", {})
    return str(kafka.get("topic") or address)


def _members(document: Mapping[str, Any], part: Any) -> dict[str, Mapping[str, Any]]:
    """Of a map; of what lies in another file nothing but the reference is known."""
    return {str(name): _known(document, one) for name, one in _known(document, part).items()}


def _known(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    try:
        return resolved(document, part)
    except Undecided:
        return mapping(part)


def _reference(part: Any) -> str:
    return str(mapping(part).get("$ref", "")).rpartition("/")[2]


def _messages_of_2(document: Mapping[str, Any], verb: str, read: Reader) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Others subscribe to what the application sends (AsyncAPI 2.6, channel item object)."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for topic, part in mapping(document.get("channels")).items():
        said = mapping(resolved(document, part).get(verb)).get("message")
        if said is None:
            continue
        listed = mapping(said).get("oneOf")
        parts = listed if isinstance(listed, list) else [said]
        messages = [read(document, one) for one in parts]
        names = Counter(str(one.get("name")) for one in messages)
        known = found.setdefault(_topic(document, resolved(document, part), str(topic)), {})
        for number, (one, message) in enumerate(zip(parts, messages, strict=True)):
            own = message.get("name") if names[str(message.get("name"))] == 1 else None
            known[str(own or message.get("messageId") or _reference(one) or f"message {number}")] = message
    return found


def settings_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each topic that is written: what its channel says of its address and of brokers, as far as readers see it.
    Of answers also where the one who asks has to say the way back.
    """
    back: dict[str, dict[str, Any]] = {}
    if str(document.get("asyncapi", "")).startswith("2"):
        channels = [(str(name), _known(document, one)) for name, one in mapping(document.get("channels")).items()]
        used = [(name, one) for name, one in channels if "subscribe" in one]
    else:
        used = []
        for name, part in mapping(document.get("operations")).items():
            operation = _known(document, part)
            reply = _known(document, operation.get("reply"))
            if operation.get("action") == "send":
                channel = _known(document, operation.get("channel"))
                used.append((str(channel.get("address")), channel))
            elif reply:
                channel = _known(document, reply.get("channel"))
                used.append((str(channel.get("address") or f"answers of {name}"), channel))
                back[used[-1][0]] = {"address of answers": _known(document, reply.get("address")).get("location")}
    return {_topic(document, one, address): _seen_of(document, one) | back.get(address, {}) for address, one in used}


def _seen_of(document: Mapping[str, Any], channel: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for protocol, said in _members(document, channel.get("bindings")).items():
        if protocol != "kafka" and not protocol.startswith("x-"):  # of Kafka it is the topic alone
            found[f"bindings/{protocol}"] = {key: one for key, one in said.items() if key != "bindingVersion"}
    for name, said in _members(document, channel.get("parameters")).items():
        values = said.get("enum", mapping(said.get("schema")).get("enum"))
        found[f"parameters/{name}"] = sorted(map(canonical, values)) if isinstance(values, list) else None
    return found


def _message_or_reference(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """Traits of a message that stand elsewhere are another matter: the message itself is known in part then."""
    there = _followed(document, part)
    return there if "$ref" in there else _message(document, part)


def _message(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """With its traits, over which its own words go (AsyncAPI 3.0, message object), and the document's content type."""
    own = resolved(document, part)
    whole: dict[str, Any] = {}
    traits = own.get("traits")
    for trait in traits if isinstance(traits, list) else ():
        whole |= resolved(document, trait)
    if document.get("defaultContentType"):
        whole.setdefault("contentType", document["defaultContentType"])
    return {**whole, **{key: value for key, value in own.items() if key != "traits"}}


def mapping(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def resolved(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    references = Document(document)
    for _ in range(MAX_HOPS):  # a message of an operation refers to its channel's, which refers to a component
        reference = mapping(part).get("$ref")
        if not isinstance(reference, str):
            return mapping(part)
        part = references.resolve(reference)
    raise Undecided("a reference leads back to itself")


def _followed(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """As far as its references lead within the document."""
    try:
        for _ in range(MAX_HOPS):
            reference = mapping(part).get("$ref")
            if not isinstance(reference, str):
                break
            part = Document(document).resolve(reference)
    except Undecided:
        pass
    return mapping(part)


def payload_of(message: Mapping[str, Any]) -> Any:
    payload = message.get("payload", True)
    return payload.get("schema", True) if isinstance(payload, Mapping) and "schemaFormat" in payload else payload


def root_of(document: Mapping[str, Any], message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where references in a payload lead: into the document, and into what the payload defines itself."""
    payload = payload_of(message)
    own = {
        key: payload[key] for key in ("$defs", "definitions", "$id") if isinstance(payload, Mapping) and key in payload
    }
    return {**document, **own} if own else document
