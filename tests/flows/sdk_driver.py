"""Drives the official SDK under a Python that it runs on: calls come in as lines of JSON, results go out so. No test by itself.

Usage: python sdk_driver.py URL KEY. A call is `{"operation": "list_claims", "input": {...}}`, its result `{"value": ...}`, or
`{"error": type, "message": ..., "errors": [...]}` where the SDK raised; `operations` gives the names of all that it has. Inputs and outputs are the SDK's own typed shapes, read and
told by the names of its model; nothing here knows an operation.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import enum
import importlib
import inspect
import json
import sys
from typing import Any


def told(value: Any) -> Any:
    """A shape of the SDK as JSON: its fields, a union by the name of its member."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [told(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if dataclasses.is_dataclass(value):
        fields = {f.name: told(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if set(fields) == {"value"}:
            return {type(value).__name__: fields["value"]}
        return {name: one for name, one in fields.items() if one is not None}
    return value


def operations() -> list[str]:
    """Everything that the SDK can ask."""
    found = inspect.getmembers(importlib.import_module("stedi").Stedi, inspect.iscoroutinefunction)
    return [name for name, one in found if "input" in inspect.signature(one).parameters]


async def call(client: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """One call, in the SDK's own types."""
    if asked["operation"] == "operations":
        return {"value": operations()}
    timestamps = importlib.import_module("smithy_core.types").TimestampFormat
    codec = importlib.import_module("smithy_json").JSONCodec(default_timestamp_format=timestamps.DATE_TIME)
    method = getattr(client, asked["operation"])
    made = inspect.signature(method).parameters["input"].annotation
    shape = getattr(importlib.import_module("stedi.models"), made if isinstance(made, str) else made.__name__)
    source = json.dumps(asked["input"]).encode()
    try:
        result = await method(shape.deserialize(codec.create_deserializer(source=source)))
    except Exception as error:
        parts = [told(one) for one in getattr(error, "errors", None) or ()]
        return {"error": type(error).__name__, "message": getattr(error, "message", str(error)), "errors": parts}
    return {"value": told(result)}


async def main(url: str, key: str) -> None:
    stedi = importlib.import_module("stedi")
    async with stedi.Stedi(stedi.Config(api_key=key, endpoint_uri=url)) as client:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(await call(client, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
