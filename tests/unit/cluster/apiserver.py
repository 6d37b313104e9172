"""An API server by hand: it has pods, and can do what a real one cannot be made to do at a given moment."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.support import eventually

PODS = "/api/v1/namespaces/team/pods"


class ApiServer:
    """Pods of the namespace `team`, listed and watched; `answers` are given before anything else, one a request."""

    def __init__(self):
        self.asked = []  # method, path, query, headers
        self.answers = []  # (status, body) or a function of the handler
        self.always = None  # the same for each request
        self.refused = {}  # (status, body) by a part of the path
        self.watched = []  # queries of watches
        self.lists = 0
        self.connections = 0
        self.logs = []  # functions of the handler, one a request for a log; the last one stays
        self.version = 10
        self.oldest = 0  # the version that a watch may begin at
        self.pods = {}
        self.page = 500
        self._news = threading.Condition()
        self._changes = []  # version, type, object
        self._sockets = set()
        self._over = False
        self.http = _Server(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def put(self, name, **more):
        with self._news:
            self.version += 1
            meta = {
                "name": name,
                "uid": f"uid-{name}",
                "resourceVersion": str(self.version),
                "labels": {"jobq.run": "r"},
            }
            item = {"metadata": {**meta, "managedFields": [{}]}, **more}
            self._change("MODIFIED" if name in self.pods else "ADDED", item)
            self.pods[name] = item

    def drop(self, name):
        with self._news:
            self.version += 1
            item = self.pods.pop(name)
            item["metadata"]["resourceVersion"] = str(self.version)
            self._change("DELETED", item)

    def say(self, how, item):
        """Something that is watched, whatever it is."""
        with self._news:
            self._change(how, item)

    def forget(self):
        """Compacts: no watch can begin in the past any more."""
        with self._news:
            self.oldest = self.version
            self._changes.clear()

    def end(self):
        """Ends the watches, as at their time."""
        self.say("END", {})

    def cut(self):
        """Breaks all connections."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        with self._news:
            self._over = True
            self._news.notify_all()
        self.cut()
        self.http.shutdown()
        self.http.server_close()

    def _change(self, how, item):
        self._changes.append((self.version, how, json.loads(json.dumps(item))))
        self._news.notify_all()

    def _handler(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                outer.connections += 1
                outer._sockets.add(self.connection)

            def finish(self):
                outer._sockets.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def handle(self):
                with contextlib.suppress(OSError, ValueError):  # who was asked has gone
                    super().handle()

            def respond(self):
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, parts.path, query, dict(self.headers), body))
                answer = outer.answers.pop(0) if outer.answers else outer.always
                answer = next((told for part, told in outer.refused.items() if part in parts.path), answer)
                if callable(answer):
                    answer(self)
                elif answer is not None:
                    self.whole(*answer)
                elif parts.path.endswith("/log"):
                    (outer.logs.pop(0) if len(outer.logs) > 1 else outer.logs[0])(self)
                elif query.get("watch") == "true":
                    outer._watch(self, query)
                elif (name := parts.path.rpartition("/")[2]) in outer.pods:
                    self.whole(200, outer.pods[name])
                elif parts.path == PODS:
                    outer._list(self, query)
                else:
                    self.whole(404, status(404, "NotFound", "not found"))

            do_GET = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815 - http.server wants it so

            def whole(self, code, told, **headers):
                data = told if isinstance(told, bytes) else json.dumps(told).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def begin(self):
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()

            def chunk(self, data):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

            def end(self):
                self.wfile.write(b"0\r\n\r\n")

            def hang(self):
                """Says nothing more, until the client leaves."""
                self.rfile.read(1)
                self.close_connection = True

            def log_message(self, *args):
                pass

        return Handler

    def _list(self, handler, query):
        self.lists += 1
        with self._news:
            names = sorted(self.pods)
            begin = int(query.get("continue", 0))
            end = begin + min(self.page, int(query.get("limit", 500)))
            meta = {"resourceVersion": str(self.version)}
            if end < len(names):
                meta["continue"] = str(end)
            told = {"metadata": meta, "items": [self.pods[name] for name in names[begin:end]]}
            handler.whole(200, told)

    def _watch(self, handler, query):
        at = int(query["resourceVersion"])
        handler.begin()
        if at < self.oldest:
            self.watched.append(query)
            told = {"type": "ERROR", "object": status(410, "Expired", "too old resource version")}
            handler.chunk(json.dumps(told).encode() + b"\n")
            handler.end()
            return
        sent = 0
        with self._news:
            sent = next((i for i, (version, _, _) in enumerate(self._changes) if version > at), len(self._changes))
            self.watched.append(query)
        while not self._over:
            with self._news:
                while not self._over and len(self._changes) == sent:
                    self._news.wait()
                sent = min(sent, len(self._changes))
                news, sent = self._changes[sent:], len(self._changes)
            for _, how, item in news:
                if how == "END":
                    handler.end()
                    return
                handler.chunk(json.dumps({"type": how, "object": item}).encode() + b"\n")

    def wait_for_watch(self, count=1):
        eventually(lambda: len(self.watched) >= count)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """Whoever was asked has gone."""


def status(code, reason, message):
    return {"kind": "Status", "code": code, "reason": reason, "message": message}


def config(address, user=None, **cluster):
    """A kubeconfig, as YAML reads it."""
    return {
        "clusters": [{"name": "c", "cluster": {"server": address, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "here",
    }
