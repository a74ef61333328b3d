"""The same model over TLS, for streams that are read one after the other: a thread for each connection."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

import trustme
from answers import whole
from scenes import Scene

__all__ = ["start"]


def start(authority: Path) -> int:
    """Serve in threads of their own, with a certificate made for the run.

    Args:
        authority: The file to which the certificate of the authority is written, that clients may trust it.

    Returns:
        The port.
    """
    ca = trustme.CA()
    ca.cert_pem.write_to_path(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            _thread(partial(_converse, context, sock))

    _thread(accept)
    port: int = listener.getsockname()[1]
    return port


def _thread(work: Callable[[], None]) -> None:
    Thread(target=work, daemon=True).start()


def _converse(context: ssl.SSLContext, sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError), context.wrap_socket(sock, server_side=True) as stream:
        inbox = bytearray()
        while data := stream.recv(65_536):
            inbox += data
            if asked := whole(inbox):
                _, request, wire = asked
                stream.sendall(wire.turn(Scene.read(request["model"])[0], request))
