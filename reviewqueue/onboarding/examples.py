"""A valid item for a queue that nobody has sent anything to yet. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from reviewqueue.onboarding.gallery import trial_item
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.schemas import choices, resolved

DEEPEST = 6
TEXT = {"type": "string"}


def example_for(config: QueueConfig, queue: str, picture: str | None = None) -> str:
    """The item as JSON text, laid out to be changed: that of the queue's template, with the upload `picture` where it
    refers to one, else one made from its schemas."""
    item = trial_item(config, queue, picture) or {
        "queue": queue, "input": _value(config.input_schema, config.input_schema),
        "output": _value(config.output_schema, config.output_schema), "confidence": 0.3, "model": "trial", "test": True,
    }  # fmt: skip
    return json.dumps(item, ensure_ascii=False, indent=2)


def curl(address: str, item: str, token: str | None) -> str:
    """The command that sends `item` (JSON text)."""
    bearer = f"Bearer {token}" if token else "Bearer $TOKEN"
    return (
        f"curl -s {address}/api/v1/items \\\n"
        f'  -H "Authorization: {bearer}" \\\n'
        f'  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(item)}"
    )


def _value(schema: Any, root: Any, depth: int = 0) -> Any:
    """Something that the schema takes, for the schemas that people write."""
    target = resolved(schema, root) if isinstance(root, Mapping) else schema
    if not isinstance(target, Mapping):
        return {"text": "Hello"}
    if found := choices(target, None):
        return found[0]
    kind = target.get("type", "object" if "properties" in target else None)
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or kind is None:
        properties = target.get("properties", {})
        wanted = target.get("required") or list(properties)
        return {name: _value(properties.get(name, TEXT), root, depth + 1) for name in wanted if depth <= DEEPEST}
    if kind == "array":
        fewest = max(1, int(target.get("minItems", 1)))
        return [_value(target.get("items", TEXT), root, depth + 1)] * (0 if depth > DEEPEST else fewest)
    number = target.get("minimum", target.get("exclusiveMinimum", 0) + 1)
    text = "An example"[: target.get("maxLength")]
    return {"string": text, "integer": int(number), "number": number, "boolean": True}.get(kind)
