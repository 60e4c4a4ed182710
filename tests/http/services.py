"""HTTP services that flows call: real servers that keep what they were sent."""

import http.server
import socket
import ssl
import threading


class Request:
    def __init__(self, handler, body):
        self.method = handler.command
        self.target = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body
        self.address = handler.server.server_address[0]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self, self.rfile.read(length))
        self.server.service.requests.append(request)
        route = self.server.service.routes.get(request.target.split("?")[0])
        status, headers, body = route(request) if route else (404, {}, b"no such route")
        self.send_response(status)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if request.method != "HEAD":
            try:
                self.wfile.write(body)
            except OSError:  # the caller has gone
                self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, service, address, port, context):
        self.service = service
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)

    def get_request(self):
        connection = super().get_request()
        self.service.connections += 1
        return connection

    def handle_error(self, *_):  # a handshake that the caller broke off
        pass


class Service:
    """One set of routes at several addresses; a route is a function from a Request to (status,
    headers, body)."""

    def __init__(self, addresses, port=0, certificate=None):
        self.routes = {}
        self.requests = []
        self.connections = 0
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        self.servers = [Server(self, address, port, context) for address in addresses]
        self.port = self.servers[0].server_address[1]
        for each in self.servers:
            threading.Thread(target=each.serve_forever, daemon=True).start()

    def forget(self):
        self.routes.clear()
        self.requests.clear()
        self.connections = 0

    def answer(self, path, status=200, headers=None, body=b""):
        self.routes[path] = lambda request: (status, headers or {}, body)
