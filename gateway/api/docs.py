"""The documentation: the OpenAPI document as plain HTML pages, searched without a script, under a strict content security policy."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape

__all__ = ["Documentation"]

_SHOWN_MAX = 200


class Documentation:
    """Pages about an OpenAPI document: all operations, one object, and what a word is found in."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._api = described
        self._schemas: dict[str, Any] = described["components"]["schemas"]
        environment = self._environment = Environment(
            loader=PackageLoader("gateway.api"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
        )
        environment.filters.update(reference=_reference, json=_json, code=_code)
        self._operations = [
            {"path": path, "method": method.upper(), **operation}
            for path, methods in described["paths"].items()
            for method, operation in methods.items()
        ]
        self.style = resources.files("gateway.api").joinpath("templates", "docs.css").read_text("utf-8")

    def overview(self) -> str:
        """All operations, and the names of all objects."""
        return self._page(operations=self._operations, objects=self._schemas, fields=[], asked="")

    def found(self, asked: str) -> str:
        """The operations, objects and fields in whose names or descriptions all the words are found."""
        words = asked.lower().split()

        def fits(*texts: str) -> bool:
            text = " ".join(texts).lower()
            return all(word in text for word in words)

        operations = [o for o in self._operations if fits(o["operationId"], o["path"], o["description"])]
        objects = {n: s for n, s in self._schemas.items() if fits(n, s.get("description", ""))}
        fields = [
            {"object": name, "name": field, "schema": said}
            for name, schema in self._schemas.items()
            for field, said in schema.get("properties", {}).items()
            if fits(field, said.get("description", ""))
        ]
        return self._page(operations=operations, objects=objects, fields=fields[:_SHOWN_MAX], asked=asked)

    def one(self, name: str) -> str | None:
        """One object, its fields, and where it is used; None where there is none of this name."""
        schema = self._schemas.get(name)
        if schema is None:
            return None
        reference = f'"#/components/schemas/{name}"'
        within = [n for n, s in self._schemas.items() if reference in json.dumps(s)]
        operations = [o for o in self._operations if reference in json.dumps(o)]
        return self._render("object.html", name=name, schema=schema, within=within, operations=operations, asked="")

    def _page(self, **told: Any) -> str:
        tags = [t for t in self._api["tags"] if any(t["name"] in o["tags"] for o in told["operations"])]
        return self._render("docs.html", tags=tags, **told)

    def _render(self, template: str, **told: Any) -> str:
        return self._environment.get_template(template).render(api=self._api, **told)


def _reference(schema: dict[str, Any]) -> Markup:
    """A schema in a few words, with a link to its component where it has one."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="/docs/objects/{0}">{0}</a>').format(name)
    options = [s for s in schema.get("anyOf", ()) if s.get("type") != "null"]
    if options:
        return Markup(" or ").join(_reference(s) for s in options)
    kind = schema.get("type", "anything")
    kinds = [k for k in ([kind] if isinstance(kind, str) else kind) if k != "null"]
    if kinds == ["array"]:
        return Markup("list of {}").format(_reference(schema.get("items", {})))
    if kinds == ["object"] and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(_reference(schema["additionalProperties"]))
    if "enum" in schema:
        return Markup(", ").join(Markup("<code>{}</code>").format(v) for v in schema["enum"])
    return escape(" or ".join(kinds))


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _code(text: str) -> Markup:
    """Text with what stands between backticks as code, and `**` as strong."""
    out = Markup("")
    for number, part in enumerate(text.split("`")):
        if number % 2:
            out += Markup("<code>{}</code>").format(part)
        else:
            for nth, piece in enumerate(part.split("**")):
                out += Markup("<b>{}</b>").format(piece) if nth % 2 else escape(piece)
    return out
