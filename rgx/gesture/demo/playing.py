"""The server of the page to play with, which only this machine's own browsers reach."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgx.errors import InputError
from rgx.gesture.demo.takes import Wish
from rgx.gesture.demo.workshop import BusyError, Workshop
from rgx.local_server import check_installed, headers, make_server, open_port, whole_page
from rgx.store.records import parse

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]
"""A page elsewhere whose name leads here is refused by the name it asks for."""
PARTS = Path(__file__).with_name("page")
LARGEST_BYTES = 256 * 2**20
LONGEST_WISH_BYTES = 10_000
HEADERS = headers("'self' blob:")


def make_player(workshop: Workshop) -> Starlette:
    """Return the application; raises InputError without the extra `study`."""
    check_installed()
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    counter = Counter(workshop)
    return Starlette(
        routes=[
            Route("/", counter.page),
            Route("/files/{name}", counter.file, methods=["POST"]),
            Route("/work", counter.begin, methods=["POST"]),
            Route("/work", counter.work),
            Route("/stop", counter.stop, methods=["POST"]),
            Route("/takes/{name}.mp4", counter.film),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=NAMES)],
    )


class Counter:
    """Answers requests for a workshop."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop

    def page(self, request: Request) -> Response:
        """Return the page, which holds all it needs."""
        from starlette.responses import HTMLResponse

        return HTMLResponse(whole_page(PARTS, "demo", self.workshop.facts()), headers=HEADERS)

    async def file(self, request: Request) -> Response:
        """Take a file in, and say by which name to ask for it."""
        if refusal := _foreign(request):
            return refusal
        token, path = self.workshop.place_for(request.path_params["name"])
        size = 0
        with path.open("wb") as out:
            async for piece in request.stream():
                size += len(piece)
                if size > LARGEST_BYTES:
                    path.unlink()
                    return _said({"error": f"{path.name}: more than {LARGEST_BYTES // 2**20} MiB"}, 413)
                out.write(piece)
        return _said({"file": token})

    async def begin(self, request: Request) -> Response:
        """Begin what is wished for."""
        if refusal := _foreign(request):
            return refusal
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > LONGEST_WISH_BYTES:
                return _said({"error": "the message is too long"}, 413)
        try:
            self.workshop.begin(parse(Wish, json.loads(body), "your choice"))
        except BusyError as error:
            return _said({"error": str(error)}, 409)
        except (InputError, ValueError) as error:
            return _said({"error": str(error)}, 422)
        return self.work(request, 202)

    def work(self, request: Request, status: int = 200) -> Response:
        """Say how far what is being made is, and which takes there are."""
        work, takes = self.workshop.work, list(self.workshop.takes.items())
        listed = [{"name": name, "label": take.label, "seconds": take.seconds} for name, take in takes]
        return _said({"work": vars(work) if work else None, "takes": listed}, status)

    def stop(self, request: Request) -> Response:
        """Stop what is being made."""
        if refusal := _foreign(request):
            return refusal
        self.workshop.stop()
        return self.work(request)

    def film(self, request: Request) -> Response:
        """Return a take's film, or the part of it that a player asks for."""
        from starlette.responses import FileResponse

        take = self.workshop.takes.get(request.path_params["name"])
        if take is None:
            return _said({"error": "that take is no more there"}, 404)
        return FileResponse(take.film, media_type="video/mp4", headers=HEADERS)


def _foreign(request: Request) -> Response | None:
    """Return a refusal for what another site's page sends, which a browser marks with its origin."""
    origin = request.headers.get("origin")
    own = f"http://{request.headers.get('host', '')}"
    return None if origin in (None, own) else _said({"error": "asked by another site's page"}, 403)


def _said(content: dict[str, Any], status: int = 200) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(content, status, headers=HEADERS)


def play(workshop: Workshop, port: int, say: Callable[[str], None]) -> None:
    """Serve a workshop's page until it is stopped, by Ctrl-C or SIGTERM; what is being made stops with it."""
    server = make_server(make_player(workshop))
    with open_port(HOST, port) as own:
        # uvicorn hands a signal on once it has ended, and files are to be removed after that.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        say(f"http://{HOST}:{own.getsockname()[1]}/ shows {workshop.model.name}; stop with Ctrl-C")
        try:
            server.run(sockets=[own])
        except KeyboardInterrupt:
            pass
        finally:
            workshop.stop()
