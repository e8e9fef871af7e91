"""A page served by a thread of the test, as a command serves it in a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rgx.local_server import make_server, open_port

if TYPE_CHECKING:
    from starlette.applications import Starlette

HOST = "127.0.0.1"


@contextmanager
def served(application: Starlette) -> Iterator[str]:
    """Serve an application at a free port of this machine; gives its address."""
    server = make_server(application)
    with open_port(HOST, 0) as own:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [own]})
        thread.start()
        yield f"http://{HOST}:{own.getsockname()[1]}"
        server.should_exit = True
        thread.join()
