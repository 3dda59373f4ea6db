"""The OpenAPI document, made of the route table and its models."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from stepwell.platform.api.ingest import PREFIX
from stepwell.platform.api.models.event import Accepted, Refused, SentEvent
from stepwell.platform.api.operations import Operation
from stepwell.platform.api.problems import ProblemBody
from stepwell.platform.incoming import MAX_EVENTS

REFERENCE = "#/components/schemas/{model}"
ANY_MAY = (400, 401, 403, 421, 500, 503)
INGEST_MAY = (400, 401, 403, 405, 408, 413, 415, 421, 500, 503)
_PARAMETER = re.compile(r"\{(\w+)\}")


def document(operations: Sequence[Operation], *, dev: bool) -> dict[str, Any]:
    """The document, as OpenAPI 3.1."""
    answers = [operation.answer for operation in operations if operation.answer]
    bodies = [operation.body for operation in operations if operation.body]
    models: list[type[BaseModel]] = list(dict.fromkeys([*answers, ProblemBody, SentEvent, Accepted, Refused, *bodies]))
    schemas, definitions = models_json_schema([(model, "serialization") for model in models], ref_template=REFERENCE)
    references = {model: schemas[model, "serialization"] for model in models}
    paths: dict[str, dict[str, Any]] = {f"{PREFIX}{{key}}": {"post": _ingest(references)}}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, references)
    components: dict[str, Any] = {"schemas": definitions["$defs"]}
    for operation in operations:
        components["schemas"].update(_query(operation).get("$defs", {}))
    if not dev:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stepwell", "version": version("stepwell")},
        "paths": paths,
        "components": components,
        "security": [] if dev else [{"key": []}],
    }


def _query(operation: Operation) -> dict[str, Any]:
    return operation.query.model_json_schema(ref_template=REFERENCE)


def _operation(operation: Operation, references: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": references[operation.answer]}} if operation.answer else {}
    problem = {"application/json": {"schema": references[ProblemBody]}}
    statuses = sorted({*ANY_MAY, *operation.problems})
    return {
        **(_events(references) if operation.takes_events else {}),
        **(_body(references[operation.body]) if operation.body else {}),
        "operationId": operation.name,
        "summary": operation.about,
        **_needs(operation),
        "parameters": [*_in_path(operation.path), *_in_query(_query(operation))],
        "responses": {
            "200": {"description": "OK", "content": content or {"text/event-stream": {}}},
            **{str(status): {"description": HTTPStatus(status).phrase, "content": problem} for status in statuses},
        },
    }


def _needs(operation: Operation) -> dict[str, Any]:
    if operation.needs is None:
        return {"security": []}
    return {"description": f"Takes a key with the scope `{operation.needs.value}`.", "x-scope": operation.needs.value}


def _body(reference: Any) -> dict[str, Any]:
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": reference}}}}


def _events(references: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    event = references[SentEvent]
    body = {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_EVENTS}]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def _ingest(references: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    refused = {"application/json": {"schema": references[Refused]}}
    return {
        **_events(references),
        "operationId": "send_events",
        "summary": "Send one event or several",
        "security": [],
        "parameters": list(_in_path(f"{PREFIX}{{key}}")),
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": references[Accepted]}}},
            **{str(status): {"description": HTTPStatus(status).phrase, "content": refused} for status in INGEST_MAY},
        },
    }


def _in_path(path: str) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(schema: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for name, about in schema.get("properties", {}).items():
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": about}
