"""The OpenAPI document of a running service, as tests walk it: operations, examples, and schemas that judge answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import Draft202012Validator

from tests.flows.service import Answer

__all__ = ["Contract", "Described", "Sample"]


@dataclass(frozen=True)
class Sample:
    """A request body of the document: how it is sent, and the status it must get."""

    name: str
    media: str
    value: Any
    status: int


@dataclass(frozen=True)
class Described:
    """One operation of the document."""

    method: str
    path: str
    about: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.about["operationId"]

    def samples(self) -> Iterator[Sample]:
        """All bodies that the document shows for it."""
        for media, content in self.about.get("requestBody", {}).get("content", {}).items():
            if "example" in content:
                yield Sample("example", media, content["example"], 200)
            for name, told in content.get("examples", {}).items():
                yield Sample(name, media, told["value"], told["x-status"])


class Contract:
    """The document, and what it says of answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.operations = [
            Described(method.upper(), path, about)
            for path, methods in document["paths"].items()
            for method, about in methods.items()
        ]
        self._validators: dict[str, Draft202012Validator] = {}

    def operation(self, operation_id: str) -> Described:
        return next(o for o in self.operations if o.id == operation_id)

    def faults(self, operation: Described, answer: Answer) -> list[str]:
        """What of an answer the document does not say: its status, its type, its body."""
        told = operation.about["responses"].get(str(answer.status))
        if told is None:
            return [f"{operation.id} answered {answer.status}, which it says nothing of"]
        media = answer.headers.get("Content-Type", "").partition(";")[0]
        content = told.get("content", {})
        if content and media not in content:
            return [f"{operation.id} answered {answer.status} as {media}"]
        if media.endswith("json") and content:
            return [f"{operation.id} {answer.status}: {e}" for e in self._errors(content[media]["schema"], answer.json)]
        return []

    def _errors(self, schema: dict[str, Any], value: Any) -> list[str]:
        key = repr(schema)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = Draft202012Validator(whole)
        return [f"{e.instance_path}: {e.message}" for e in self._validators[key].iter_errors(value)]
