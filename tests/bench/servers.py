"""What the gateway is measured with: `python -m tests.bench.servers upstream [SECONDS] | proxy UPSTREAM_URL | echo`.

`upstream` is a payer that answers at once, or after so many seconds, the same for gateway and proxy. `proxy` and `echo` are as bare as aiohttp gets:
the least that any service in front of a payer does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from itertools import count

import aiohttp
from aiohttp import web

from tests import synthetic
from tests.bench.bodies import question_270

__all__ = ["main"]

_BYTES_MAX = 64 << 20
_X12 = "application/edi-x12"
_CONNECTIONS_MAX = 200


def upstream(seconds: str = "0") -> web.Application:
    """A 271 for each 270, with its trace number; a receipt for each 837; nothing to collect."""
    before, after = synthetic.responses_271(1).encode().split(b"SYNTRC00000000*9123456789")
    control_number = before[90:99]
    numbers, pause = count(1), float(seconds)

    async def x12(request: web.Request) -> web.Response:
        asked = await request.read()
        if pause:
            await asyncio.sleep(pause)
        element = asked[3:4]
        _, found, rest = asked.partition(b"TRN%b1%b" % (element, element))
        if not found:
            return web.json_response({"reference": f"SYNTH{next(numbers)}"}, status=202)
        # Always the 271's own two-part trace: the number, and who assigned it.
        trace = b"*".join(rest.split(asked[105:106], 1)[0].split(element)[:2])
        number = b"%09d" % next(numbers)
        head, tail = before.replace(control_number, number, 1), after.replace(control_number, number)
        return web.Response(body=b"%b%b%b" % (head, trace, tail), content_type=_X12)

    async def outbox(_: web.Request) -> web.Response:
        return web.json_response({"files": []})

    app = web.Application(client_max_size=_BYTES_MAX)
    app.router.add_post("/x12", x12)
    app.router.add_get("/outbox", outbox)
    return app


def proxy(upstream_url: str) -> web.Application:
    """JSON in, one fixed 270 to the upstream, its reply out."""
    question, session_key = question_270(), web.AppKey("session", aiohttp.ClientSession)

    async def session(app: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as opened:
            app[session_key] = opened
            yield

    async def check(request: web.Request) -> web.Response:
        await request.json()
        answered = request.app[session_key].post(f"{upstream_url}/x12", data=question, headers={"Content-Type": _X12})
        async with answered as response:
            return web.Response(body=await response.read(), status=response.status, content_type=_X12)

    app = web.Application(client_max_size=_BYTES_MAX)
    app.cleanup_ctx.append(session)
    app.router.add_post("/{path:.*}", check)
    return app


def echo() -> web.Application:
    """JSON in, the same JSON out."""

    async def back(request: web.Request) -> web.Response:
        return web.Response(body=json.dumps(await request.json()).encode(), content_type="application/json")

    app = web.Application(client_max_size=_BYTES_MAX)
    app.router.add_post("/{path:.*}", back)
    return app


async def _serve(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


def main(name: str, *arguments: str) -> None:
    """Serve until the process is ended."""
    made = {"upstream": upstream, "proxy": proxy, "echo": echo}[name](*arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
