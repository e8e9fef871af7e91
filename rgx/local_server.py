"""Pages that a command serves itself: the headers they are sent with, their port, and what serves them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

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
