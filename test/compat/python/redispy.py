"""Tries redis-py; with the argument hiredis its parser in C. Its pipeline() begins a transaction
unless told otherwise, and transactions have a line of their own in the table."""
import sys

parser = sys.argv.pop(1)
import time

import redis
import redis.connection
from redis.utils import HIREDIS_AVAILABLE
from step import *

print("version: " + redis.__version__, flush=True)
options = {}
if parser == "python":
    options["connection_pool"] = redis.ConnectionPool(
        host=HOST, port=PORT, parser_class=redis.connection.PythonParser)
c = redis.Redis(host=HOST, port=PORT, **options)


def handshake():
    check(HIREDIS_AVAILABLE or parser == "python", "hiredis is not used")
    check(c.ping(), "no PONG")


def binary():
    c.set("redispy:b", VALUE)
    check(c.get("redispy:b") == VALUE, "another value came back")


def pipeline():
    p = c.pipeline(transaction=False)
    for i in range(N // 2):
        p.set("redispy:p%d" % i, i).get("redispy:p%d" % i)
    check(p.execute()[1::2] == [b"%d" % i for i in range(N // 2)], "replies out of order")


def expiry():
    c.set("redispy:e", "v", ex=100)
    check(90 < c.ttl("redispy:e") <= 100, "TTL")
    c.pexpire("redispy:e", 20)
    time.sleep(0.1)
    check(c.get("redispy:e") is None, "it is still there")


def counters():
    c.delete("redispy:c")
    c.incr("redispy:c")
    c.incrby("redispy:c", 41)
    check(c.decr("redispy:c") == 41, "counted wrong")


def hashes():
    c.hset("redispy:h", mapping={"f": "v", "g": "w"})
    check(c.hgetall("redispy:h") == {b"f": b"v", b"g": b"w"}, "another hash")


def scan():
    c.hset("redispy:hs", mapping={"f%d" % i: i for i in range(N)})
    check(len(dict(c.hscan_iter("redispy:hs"))) == N, "HSCAN")
    c.sadd("redispy:s", *range(N))
    check(len(set(c.sscan_iter("redispy:s"))) == N, "SSCAN")


do("connect", lambda: c.set(START, 1))
do("handshake", handshake)
do("binary", binary)
do("pipeline", pipeline)
do("expiry", expiry)
do("counters", counters)
do("hashes", hashes)
do("scan", scan)
restart()
do("reconnect", lambda: again(lambda: c.set("redispy:r", 1)))
end()
