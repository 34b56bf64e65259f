"""A door before a media server's API that lets only so many removals through."""

from __future__ import annotations

import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Gate:
    """Passes everything on, but of the removals only the first `removals`; the others, `waiting`
    of them, wait for `close`, and are then never asked for."""

    def __init__(self, api_url: str, *, removals: int) -> None:
        self.waiting = 0
        self._left, self._lock = removals, threading.Lock()
        self._closed = closed = threading.Event()
        may_pass = self._may_pass

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if not may_pass(self.path):
                    closed.wait()
                    self.close_connection = True
                    return
                told = {
                    name: self.headers[name]
                    for name in ("Authorization", "Content-Type")
                    if name in self.headers
                }
                request = urllib.request.Request(
                    api_url + self.path, data=body or None, headers=told, method=self.command
                )
                try:
                    answer: Any = urllib.request.urlopen(request, timeout=10)
                except urllib.error.HTTPError as error:
                    answer = error
                with answer:
                    said = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = _pass_on  # noqa: N815 names of the library

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A worker that is killed lets go of its connections: that is the fault itself."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def open(self) -> None:
        """Who comes from now on passes."""
        with self._lock:
            self._left = sys.maxsize

    def _may_pass(self, path: str) -> bool:
        if not path.endswith("/RemoveParticipant"):
            return True
        with self._lock:
            passes, self._left = self._left > 0, self._left - 1
            self.waiting += not passes
            return passes

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
