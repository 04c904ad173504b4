"""A small HTTP/1.1 service for tests: `http_service.py DIRECTORY PORT [CERTIFICATE KEY [CLIENT_CA]]`.

It answers as `answers.json` says, which it reads again for each request: a list of rules, of which the first that fits counts.
  path    the path without its query has to be this
  holds   the request line, the headers and the body together have to hold this text
  delay   seconds to wait before anything is sent
  status, type, body, headers   the answer; status 200 if not said
  raw     sent instead of an answer, then the connection is closed
  endless a body without an end, in chunks
  size    so many bytes as the body
  close   the connection is closed after the answer, without saying so in a header
  drop    the connection is closed before the answer, if it has carried an answer before ("kept") or always ("always")
What fits no rule is answered with 404. Each request is a line of `requests.jsonl`.
"""

import http.server
import itertools
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

directory, port = sys.argv[1], int(sys.argv[2])
connections = itertools.count(1)
lock = threading.Lock()
log = open(os.path.join(directory, "requests.jsonl"), "a", buffering=1)


def rules():
    with open(os.path.join(directory, "answers.json")) as file:
        return json.load(file)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        super().setup()
        self.number, self.answered = next(connections), 0

    def log_message(self, *_):
        pass

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        text = body.decode("utf-8", "replace")
        headers = [[name, value] for name, value in self.headers.items()]
        path, _, query = self.path.partition("?")
        with lock:
            entry = {"connection": self.number, "method": self.command, "target": self.path, "headers": headers, "body": text}
            entry["segments"] = [urllib.parse.unquote(segment) for segment in path.split("/")[1:]]
            entry["query"] = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
            entry["form"] = urllib.parse.parse_qsl(text, keep_blank_values=True)
            log.write(json.dumps(entry) + "\n")
        whole = self.requestline + "\n" + str(self.headers) + "\n" + text
        path = self.path.split("?")[0]
        for rule in rules():
            if rule.get("path", path) == path and rule.get("holds", "") in whole:
                return self.carry_out(rule)
        return self.carry_out({"status": 404})

    def carry_out(self, rule):
        time.sleep(rule.get("delay", 0))
        drop = rule.get("drop")
        if drop == "always" or (drop == "kept" and self.answered):
            self.close_connection = True
            return
        if "raw" in rule:
            self.wfile.write(rule["raw"].encode())
            self.close_connection = True
            return
        status = rule.get("status", 200)
        head = "HTTP/1.1 %d X\r\n" % status
        if "type" in rule:
            head += "Content-Type: %s\r\n" % rule["type"]
        for name, value in rule.get("headers", []):
            head += "%s: %s\r\n" % (name, value)
        if rule.get("endless"):
            self.wfile.write((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
            until = time.time() + 30
            while time.time() < until:
                self.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            self.close_connection = True
            return
        body = b"x" * rule["size"] if "size" in rule else rule.get("body", "").encode()
        if status != 204:
            head += "Content-Length: %d\r\n" % len(body)
        self.wfile.write((head + "\r\n").encode() + body)
        self.answered += 1
        if rule.get("close"):
            self.close_connection = True

    do_GET = do_POST = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    context = None

    def get_request(self):
        socket, address = super().get_request()
        if self.context:
            # The handshake is for the thread of the connection.
            socket = self.context.wrap_socket(socket, server_side=True, do_handshake_on_connect=False)
        return socket, address

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", port), Handler)
if len(sys.argv) > 4:
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(sys.argv[3], sys.argv[4])
    if len(sys.argv) > 5:
        server.context.verify_mode = ssl.CERT_REQUIRED
        server.context.load_verify_locations(sys.argv[5])
print(server.server_address[1], flush=True)
server.serve_forever()
