"""A site on 127.0.0.1 that misbehaves as asked: drops connections, ignores Range, asks for a log-in, is slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What one address answers. `drops`: bytes after which the connection ends, one a request, None to the end."""

    data: bytes = b""
    kind: str = "application/zip"
    status: int = 200
    to: str = ""  # where it redirects
    ranges: bool = True
    tag: str = '"one"'
    length: bool = True  # whether it says how long it is
    drops: list[int | None] = field(default_factory=list)
    pause: float = 0.0  # seconds before every thousand bytes


class Site:
    """`pages` by path; `asked` holds (path, Range header) of every request in order."""

    def __init__(self, address: str) -> None:
        self.address, self.pages, self.asked = address, {}, []

    def put(self, path: str, data: bytes = b"", **how) -> str:
        """Set what a path answers. -> its address"""
        self.pages[path] = Page(data, **how)
        return f"{self.address}/{path}"


@contextmanager
def serving() -> Iterator[Site]:
    """A site that runs while the block does."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802, the name that http.server calls
            path = self.path.lstrip("/")
            page, wanted = site.pages.get(path, Page(b"none here", "text/plain", 404)), self.headers.get("Range")
            site.asked.append((path, wanted))
            self.close_connection = True
            whole, start, status = page.data, 0, page.status
            fresh = self.headers.get("If-Range", page.tag) == page.tag
            if wanted and page.ranges and fresh and status == 200:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                status = 206 if start < len(whole) else 416
            body = b"" if status == 416 else whole[start:]
            self.send_response(status)
            if page.to:
                self.send_header("Location", page.to)
            if status in (206, 416):
                of = f"{start}-{len(whole) - 1}" if status == 206 else "*"
                self.send_header("Content-Range", f"bytes {of}/{len(whole)}")
            if page.length:
                self.send_header("Content-Length", str(len(body)))
            if page.tag:
                self.send_header("ETag", page.tag)
            self.send_header("Content-Type", page.kind)
            self.send_header("Connection", "close")
            self.end_headers()
            drop = page.drops.pop(0) if page.drops else None
            body = body[:drop]
            for i in range(0, len(body), 1000):
                time.sleep(page.pause)
                try:
                    self.wfile.write(body[i : i + 1000])
                except ConnectionError:  # the other side has had enough
                    return

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
