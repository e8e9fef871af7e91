"""The study's server: a page for each rater's link, videos, and answers into a database."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgx.errors import InputError
from rgx.local_server import check_installed, headers, make_server, open_port
from rgx.study.answers import LONGEST, given_by, keep_answers, open_database, parse_answer
from rgx.study.kit import DATABASE, VIDEOS, Kit, shown_items
from rgx.study.rater_page import page_of, session_data

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MOST_AT_ONCE = 500
"""Answers in one message."""
VIDEO_NAME = re.compile(r"[0-9a-f]{24}\.mp4")
HEADERS = headers()


def make_app(kit: Kit) -> Starlette:
    """Return the application; raises InputError without the extra `study`."""
    check_installed()
    from starlette.applications import Starlette
    from starlette.routing import Route

    desk = Desk(kit)
    return Starlette(
        routes=[
            Route("/s/{token}", desk.page),
            Route("/s/{token}/answers", desk.answers, methods=["POST"]),
            Route("/v/{name}", desk.video),
        ]
    )


class Desk:
    """Answers requests; what it has said it keeps is on disk before it says so."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        with self._database():
            pass

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(open_database(self.kit.folder / DATABASE)) as connection:
            yield connection

    def page(self, request: Request) -> Response:
        """Return a rater's page, which goes on where its answers end."""
        from starlette.responses import HTMLResponse

        token = request.path_params["token"]
        session = self.kit.key["sessions"].get(token)
        if session is None:
            return _refusal("no such page; use the link that you were sent", 404)
        with self._database() as connection:
            given = given_by(connection, token)
        data = session_data(self.kit.study, token, shown_items(session), lambda name: f"/v/{name}")
        page = page_of(data | {"post": f"/s/{token}/answers", "given": given})
        return HTMLResponse(page, headers=HEADERS)

    async def answers(self, request: Request) -> Response:
        """Keep the answers of a message, all or none, and say which are kept."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        token = request.path_params["token"]
        if token not in self.kit.key["sessions"]:
            return _refusal("no such session", 404)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_AT_ONCE * LONGEST:
                return _refusal("the message is too long", 413)
        try:
            own = self._checked(token, bytes(body))
        except InputError as error:
            return _refusal(str(error), 422)
        try:
            await run_in_threadpool(self._keep, token, own)
        except sqlite3.Error as error:
            return _refusal(f"the answers cannot be kept now: {error}", 507)
        return JSONResponse({"kept": [answer["item"] for answer in own]}, headers=HEADERS)

    def _keep(self, token: str, answers: list[dict[str, Any]]) -> None:
        with self._database() as connection:
            keep_answers(connection, token, answers, datetime.now(UTC).isoformat())

    def _checked(self, token: str, body: bytes) -> list[dict[str, Any]]:
        """Return a message's answers; raises InputError where one is none of the session's."""
        try:
            message = json.loads(body)
            answers = message["answers"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError("found no answers in the message") from None
        if not isinstance(answers, list) or len(answers) > MOST_AT_ONCE:
            raise InputError(f"expected a list of at most {MOST_AT_ONCE} answers")
        for answer in answers:
            parse_answer(self.kit, token, answer)
            if len(json.dumps(answer)) > LONGEST:
                raise InputError(f"item {answer['item']}: more than {LONGEST} letters")
        return answers

    def video(self, request: Request) -> Response:
        """Return a video, or the part of it that a player asks for."""
        from starlette.responses import FileResponse

        name = request.path_params["name"]
        path: Path = self.kit.folder / VIDEOS / name
        if not VIDEO_NAME.fullmatch(name) or not path.is_file():
            return _refusal("no such video", 404)
        headers = {**HEADERS, "cache-control": "private, max-age=86400"}
        return FileResponse(path, media_type="video/mp4", headers=headers, stat_result=path.stat())


def _refusal(text: str, status: int) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(text, status, headers=HEADERS)


def serve(kit: Kit, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve a study until it is stopped, and say each rater's link; raises InputError for a port in use."""
    server = make_server(make_app(kit))
    with open_port(host, port) as own:
        for number, token in enumerate(kit.key["sessions"], 1):
            say(f"rater {number}: http://{host}:{own.getsockname()[1]}/s/{token}")
        server.run(sockets=[own])
