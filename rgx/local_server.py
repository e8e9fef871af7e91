"""Pages that a command serves itself: put together of files, their headers, their port, what serves them."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgx.errors import InputError, install_hint

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

EXTRA = "study"


def headers(media: str = "'self'") -> dict[str, str]:
    """Return the headers of a page that asks nobody else for anything; media: where its films come from."""
    return {
        "content-security-policy": (
            f"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src {media}; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }


def whole_page(folder: Path, name: str, data: Mapping[str, Any], **texts: str) -> str:
    """Return a page as one HTML file: `name.html` of a folder with style, script, data and texts in it."""
    parts = {part: (folder / f"{name}.{part}").read_text(encoding="utf-8") for part in ("html", "css", "js")}
    # What would end the script that holds the data stands in it by its number.
    inside = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    filled = {"style": parts["css"], "script": parts["js"], "data": inside, **texts}
    # Once only: what is put in is no template.
    before, *rest = parts["html"].split("{{ ")
    return before + "".join(filled[slot] + after for slot, after in (piece.split(" }}", 1) for piece in rest))


def check_installed() -> None:
    """Raise InputError without Starlette and uvicorn."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise InputError(f"the page needs Starlette and uvicorn: {install_hint(EXTRA)}") from None


def open_port(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address, on a free port for 0; raises InputError for one in use."""
    own = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((host, port))
        own.listen()
    except OSError as error:
        own.close()
        raise InputError(
            f"{host}, port {port}: {error.strerror}: give another, or port 0 for any that is free"
        ) from None
    return own


def make_server(application: Starlette) -> uvicorn.Server:
    """Return what serves an application once it runs; it says nothing of who asked for what."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
