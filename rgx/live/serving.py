"""The server of the live page: a store's state as JSON, and the page that draws it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgx.errors import InputError
from rgx.inspect.status import rows_of
from rgx.live.artifact_view import artifact_view
from rgx.live.orders import cancel, rerun
from rgx.live.overview import Overview
from rgx.live.sweep_tables import sweep_tables
from rgx.local_server import check_installed, headers, make_server, open_port, whole_page
from rgx.lookup import find_report

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]
"""A page elsewhere whose name leads here is refused by the name it asks for."""
PARTS = Path(__file__).with_name("page")
HEADERS = headers()


def make_live(store: Path, sweeps: Sequence[Path] = (), names: Sequence[str] = ()) -> Starlette:
    """Return the application for a store; sweeps: files whose tables it shows and whose stages it may run.

    names: what else than loopback a browser may call it. Raises InputError without Starlette, or a store.
    """
    check_installed()
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    if not store.is_dir():
        raise InputError(f"there is no store at {store}")
    shown = StorePage(store, {path.stem: path for path in sweeps})
    return Starlette(
        routes=[
            Route("/", shown.page),
            Route("/state", shown.state),
            Route("/artifact/{stage}/{key}", shown.artifact),
            Route("/stages/{sweep}/{stage}", shown.stages),
            Route("/tables/{sweep}", shown.tables),
            Route("/cancel/{stage}/{key}", shown.cancel, methods=["POST"]),
            Route("/rerun/{stage}/{key}", shown.rerun, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*NAMES, *names])],
    )


class StorePage:
    """Answers requests about a store."""

    def __init__(self, store: Path, sweeps: Mapping[str, Path]) -> None:
        self.store, self.sweeps = store, sweeps
        self.overview = Overview(store)
        self.token = secrets.token_urlsafe(16)
        """What only this page sends along, so that no other can ask for anything."""
        self._tables: dict[str, tuple[str, list[dict[str, Any]]]] = {}

    def page(self, request: Request) -> Response:
        """Return the page, which holds all it needs."""
        from starlette.responses import HTMLResponse

        facts = {"token": self.token, "tables": list(self.sweeps)}
        return HTMLResponse(whole_page(PARTS, "live", facts), headers=HEADERS)

    def state(self, request: Request) -> Response:
        """Say what runs and how far each sweep is, or that nothing has changed since it was asked."""
        return self._answer(request, self.overview.now)

    def artifact(self, request: Request) -> Response:
        """Say what is known of one artifact."""
        stage, key = request.path_params["stage"], request.path_params["key"]

        def known() -> dict[str, Any]:
            view = artifact_view(self.store, *_names(stage, key))
            if view is None:
                raise InputError(f"{stage} {key} is not in the store")
            return view | {"rows": rows_of(self.overview.runs()).get((stage, key), [])}

        return self._answer(request, known)

    def stages(self, request: Request) -> Response:
        """Say how each artifact of one stage of a sweep stands."""
        sweep, stage = request.path_params["sweep"], request.path_params["stage"]
        return self._answer(request, lambda: {"artifacts": self.overview.artifacts(sweep, stage)})

    def tables(self, request: Request) -> Response:
        """Return a sweep's tables as far as they are filled."""
        name = request.path_params["sweep"]
        if name not in self.sweeps:
            return _said({"error": f"{name}: its file was not given to `rgx serve`"}, 404)
        return self._answer(request, lambda: {"tables": self._filled(name)})

    def cancel(self, request: Request) -> Response:
        """Ask a running stage to end."""
        return self._ordered(request, lambda stage, key: cancel(self.store, stage, key))

    def rerun(self, request: Request) -> Response:
        """Have an artifact made anew."""

        def again(stage: str, key: str) -> str:
            rows = rows_of(self.overview.runs()).get((stage, key), [])
            split = [row.split(":", 1) for row in rows]
            own = [(self.sweeps[name], row) for name, row in split if name in self.sweeps]
            return rerun(self.store, stage, key, *(own[0] if own else (None, "")))

        return self._ordered(request, again)

    def _filled(self, name: str) -> list[dict[str, Any]]:
        """Return a sweep's tables, made once for each state of its stages."""
        sweep = next((each for each in self.overview.now()["sweeps"] if each["name"] == name), None)
        seen = json.dumps(sweep)
        if name not in self._tables or self._tables[name][0] != seen:
            self._tables[name] = seen, sweep_tables(find_report(self.sweeps[name]), self.store)
        return self._tables[name][1]

    def _answer(self, request: Request, look: Callable[[], dict[str, Any]]) -> Response:
        from starlette.responses import Response

        try:
            content = json.dumps(look(), ensure_ascii=False).encode()
        except InputError as error:
            return _said({"error": str(error)}, 404)
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={**HEADERS, "etag": tag})
        return Response(content, media_type="application/json", headers={**HEADERS, "etag": tag})

    def _ordered(self, request: Request, order: Callable[[str, str], str]) -> Response:
        if not secrets.compare_digest(request.headers.get("x-token", ""), self.token):
            return _said({"error": "asked by another page than this server's; load it again"}, 403)
        try:
            said = order(*_names(request.path_params["stage"], request.path_params["key"]))
        except InputError as error:
            return _said({"error": str(error)}, 409)
        return _said({"said": said}, 202)


def _names(stage: str, key: str) -> tuple[str, str]:
    """Return a stage and a short key, none of which leads out of the store; raises InputError."""
    if not stage.replace("_", "").isalnum() or len(key) != 16 or set(key) - set("0123456789abcdef"):
        raise InputError(f"{stage}/{key} is no stage and the first 16 hex of a key")
    return stage, key


def _said(content: dict[str, Any], status: int = 200) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(content, status, headers=HEADERS)


def serve(store: Path, sweeps: Sequence[Path], port: int, say: Callable[[str], None]) -> None:
    """Serve a store's page until Ctrl-C; raises InputError for a port in use, and as `make_live` does."""
    for sweep in sweeps:
        find_report(sweep)
    server = make_server(make_live(store, sweeps))
    with open_port(HOST, port) as own:
        say(f"http://{HOST}:{own.getsockname()[1]}/ shows {store}; stop with Ctrl-C")
        server.run(sockets=[own])
