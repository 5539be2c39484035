"""The docs page: the OpenAPI document as plain HTML, without a script, under a strict content security policy."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

__all__ = ["page"]


def _reference(schema: dict[str, Any]) -> str:
    """A schema in a few words, with the name of its component where it has one."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_reference(s) for s in schema["anyOf"] if s.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_reference(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def page(described: dict[str, Any]) -> tuple[str, str]:
    """(HTML, CSS) that describe an OpenAPI document."""
    environment = Environment(
        loader=PackageLoader("gateway.api"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["reference"] = _reference
    operations = [
        {"path": path, "method": method.upper(), **operation}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    tags = sorted({tag for o in operations for tag in o["tags"]})
    html = environment.get_template("docs.html").render(api=described, operations=operations, tags=tags)
    css = resources.files("gateway.api").joinpath("templates", "docs.css").read_text("utf-8")
    return html, css
