"""libpq's pipelines, which psycopg2 does not know: statements are sent before the answers of earlier
ones have come."""

import ctypes
import ctypes.util

libpq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
for name, result, *arguments in (
        ("PQconnectdb", ctypes.c_void_p, ctypes.c_char_p),
        ("PQstatus", ctypes.c_int, ctypes.c_void_p),
        ("PQerrorMessage", ctypes.c_char_p, ctypes.c_void_p),
        ("PQenterPipelineMode", ctypes.c_int, ctypes.c_void_p),
        ("PQsendPrepare", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p,
         ctypes.c_int, ctypes.c_void_p),
        ("PQsendQueryPrepared", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int,
         ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
        ("PQpipelineSync", ctypes.c_int, ctypes.c_void_p),
        ("PQgetResult", ctypes.c_void_p, ctypes.c_void_p),
        ("PQresultStatus", ctypes.c_int, ctypes.c_void_p),
        ("PQcmdStatus", ctypes.c_char_p, ctypes.c_void_p),
        ("PQclear", None, ctypes.c_void_p),
        ("PQfinish", None, ctypes.c_void_p)):
    function = getattr(libpq, name)
    function.restype, function.argtypes = result, arguments

COMMAND_OK, TUPLES_OK, SYNC = 1, 2, 10


class Pipeline:
    """A connection in pipeline mode."""

    def __init__(self, url):
        self.connection = libpq.PQconnectdb(url.encode())
        assert libpq.PQstatus(self.connection) == 0, self.error()
        self.do(libpq.PQenterPipelineMode)

    def do(self, function, *arguments):
        assert function(self.connection, *arguments) == 1, self.error()

    def error(self):
        return libpq.PQerrorMessage(self.connection).decode()

    def prepare(self, name, sql):
        self.do(libpq.PQsendPrepare, name.encode(), sql.encode(), 0, None)

    def execute(self, name, *values):
        texts = (ctypes.c_char_p * len(values))(*[str(value).encode() for value in values])
        self.do(libpq.PQsendQueryPrepared, name.encode(), len(values), texts, None, None, 0)

    def sync(self):
        self.do(libpq.PQpipelineSync)

    def tags(self):
        """What the statements since the last call have done, up to a sync: the tags of those that
        succeeded; then "error" once, for the first that did not."""
        found = []
        nothing_twice = 0
        while nothing_twice < 2:
            result = libpq.PQgetResult(self.connection)
            if not result:  # between two statements, and at the end of a dead connection
                nothing_twice += 1
                continue
            nothing_twice = 0
            status, tag = libpq.PQresultStatus(result), libpq.PQcmdStatus(result).decode()
            libpq.PQclear(result)
            if status == SYNC:
                break
            if status in (COMMAND_OK, TUPLES_OK):
                found += [tag] if tag else []  # a preparation has none
            elif "error" not in found:
                found.append("error")
        return found

    def close(self):
        libpq.PQfinish(self.connection)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
