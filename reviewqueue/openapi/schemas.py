"""Models as JSON Schema, for the document's components. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from reviewqueue.openapi.operations import Schema

REF = "#/components/schemas/{model}"
_MODE: JsonSchemaMode = "validation"
NAMES = {"Routing": "RoutingRules", "Audit": "AuditSample", "View": "QueueView"}
"""What a model is called in the document where its own name says too little there."""


class _Plain(GenerateJsonSchema):
    """Without titles, which repeat the names, and without empty defaults, which a client would send for nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        found = super().default_schema(schema)
        if not isinstance(found.get("default"), str | int | float) or found["default"] == "":
            found.pop("default", None)
        return found


def name_of(model: str) -> str:
    """`ItemShape`, what is sent, is `ItemRequest` here: `Item` is what is answered."""
    return NAMES.get(model) or (f"{model.removesuffix('Shape')}Request" if model.endswith("Shape") else model)


def components(models: Iterable[type[pydantic.BaseModel]]) -> dict[str, Any]:
    """The schemas of the models and of all that they are made of, by name."""
    wanted = [(model, _MODE) for model in dict.fromkeys(models)]
    _, found = pydantic.json_schema.models_json_schema(wanted, ref_template=REF, schema_generator=_Plain)
    schemas: dict[str, Any] = {name_of(name): _tidied(schema) for name, schema in sorted(found["$defs"].items())}
    for schema in schemas.values():
        schema.pop("title", None)
    return schemas


def _tidied(value: Any) -> Any:
    if isinstance(value, list):
        return [_tidied(element) for element in value]
    if not isinstance(value, dict):
        return value
    found = {key: _tidied(element) for key, element in value.items()}
    if isinstance(found.get("$ref"), str):
        head, _, name = found["$ref"].rpartition("/")
        found["$ref"] = f"{head}/{name_of(name)}"
    if "description" in found and isinstance(found["description"], str):
        found["description"] = " ".join(found["description"].split())
    return found


def schema_of(schema: Schema) -> dict[str, Any]:
    """A reference to a model's component, or the schema itself."""
    if isinstance(schema, Mapping):
        return dict(schema)
    return {"$ref": REF.format(model=name_of(schema.__name__))}
