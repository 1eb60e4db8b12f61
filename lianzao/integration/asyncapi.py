"""The description of all events for other systems (AsyncAPI 3.0), made from the registry: nothing is written twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lianzao.foundation import words
from lianzao.foundation.facts import Fact, every_event, facts_of
from lianzao.integration import rules

SCHEMAS: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "format": "uuid"},
    "text": {"type": "string"},
    "yes_no": {"type": "boolean"},
    "whole": {"type": "integer"},
    "number": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": "a decimal number as text"},
    "instant": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "record": {"type": "object"},
}
HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {
            "type": "string",
            "format": "uuid",
            "description": "the event's id; the same at every try, so that you know what you have already",
        },
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$", "description": "seconds since 1970 of this try"},
        "webhook-signature": {
            "type": "string",
            "description": "Standard Webhooks v1 (HMAC-SHA256), one signature for each valid secret, blanks between",
        },
    },
}


def document(language: str) -> dict[str, Any]:
    """The whole description, its titles in a language."""
    events = every_event()
    names = [name for name in events if not name.startswith("integration.") or name == "integration.EndpointTested"]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "联造 Lianzao",
            "version": "1",
            "description": "Every event of the plant, as signed webhooks: one HTTPS POST for each event and endpoint,"
            " at least once, in CloudEvents 1.0 (structured JSON).",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {key_of(name): _channel(name, language) for name in names},
        "operations": {
            f"send{key_of(name)}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{key_of(name)}"},
                "messages": [{"$ref": f"#/channels/{key_of(name)}/messages/{key_of(name)}"}],
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            }
            for name in names
        },
        "components": {
            "messages": {key_of(name): _message(name, events[name], language) for name in names},
            "schemas": {"webhookHeaders": HEADERS, **{key_of(name): data_schema(events[name]) for name in names}},
        },
    }


def key_of(wire_name: str) -> str:
    """A name that may stand in a reference: sales.OrderConfirmed → sales_OrderConfirmed."""
    return wire_name.replace(".", "_")


def title_of(wire_name: str, language: str) -> str:
    """The words of an event."""
    return words.title(language, f"event.{wire_name.partition('.')[2]}", wire_name)


def _channel(name: str, language: str) -> dict[str, Any]:
    return {
        "address": rules.type_of(name),
        "title": title_of(name, language),
        "messages": {key_of(name): {"$ref": f"#/components/messages/{key_of(name)}"}},
    }


def _message(name: str, event: type[Any], language: str) -> dict[str, Any]:
    return {
        "name": rules.type_of(name),
        "title": title_of(name, language),
        "summary": (event.__doc__ or "").strip(),
        "contentType": "application/cloudevents+json",
        "tags": [{"name": name.partition(".")[0]}],
        "headers": {"$ref": "#/components/schemas/webhookHeaders"},
        "payload": _envelope(name),
    }


def _envelope(name: str) -> dict[str, Any]:
    text = SCHEMAS["text"]
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": SCHEMAS["id"],
            "source": {**text, "format": "uri-reference"},
            "type": {"const": rules.type_of(name)},
            "time": SCHEMAS["instant"],
            "subject": {**text, "description": "<kind>/<id> of the record the event is about"},
            "datacontenttype": {"const": "application/json"},
            "data": {"$ref": f"#/components/schemas/{key_of(name)}"},
        },
    }


def data_schema(event: type[Any]) -> dict[str, Any]:
    """The JSON Schema of an event's facts. An endpoint of a partner gets the ids of them only."""
    known: Mapping[str, Fact] = facts_of(event)
    return {
        "type": "object",
        "properties": {fact.name: _schema(fact) for fact in known.values()},
        "required": [fact.name for fact in known.values() if fact.required],
    }


def _schema(fact: Fact) -> dict[str, Any]:
    one = dict(SCHEMAS[fact.type])
    if fact.kind:
        one["description"] = f"a {fact.kind}"
    made: dict[str, Any] = {"type": "array", "items": one} if fact.many else one
    if fact.optional:
        made = {**made, "type": [made["type"], "null"]}
    return made
