"""Tries aioredis 1, with a pool as its documentation advises."""
import asyncio
import time

import aioredis
from step import *

print("version: " + aioredis.__version__, flush=True)
loop = asyncio.new_event_loop()


def run(f):
    async def wait():
        return await f()

    return loop.run_until_complete(wait())


c = None


def connect():
    global c

    async def pool():
        return await aioredis.create_redis_pool("redis://%s:%d" % (HOST, PORT))

    c = run(pool)
    run(lambda: c.set(START, "1"))


def binary():
    run(lambda: c.set("aioredis:b", VALUE))
    check(run(lambda: c.get("aioredis:b")) == VALUE, "another value came back")


def pipeline():
    async def batch():
        p = c.pipeline()
        for i in range(N // 2):
            p.set("aioredis:p%d" % i, i)
            p.get("aioredis:p%d" % i)
        return await p.execute()

    check(run(batch)[1::2] == [b"%d" % i for i in range(N // 2)], "replies out of order")


def expiry():
    run(lambda: c.set("aioredis:e", "v", expire=100))
    check(90 < run(lambda: c.ttl("aioredis:e")) <= 100, "TTL")
    run(lambda: c.pexpire("aioredis:e", 20))
    time.sleep(0.1)
    check(run(lambda: c.get("aioredis:e")) is None, "it is still there")


def counters():
    run(lambda: c.delete("aioredis:c"))
    run(lambda: c.incr("aioredis:c"))
    run(lambda: c.incrby("aioredis:c", 41))
    check(run(lambda: c.decr("aioredis:c")) == 41, "counted wrong")


def hashes():
    run(lambda: c.hmset_dict("aioredis:h", f="v", g="w"))
    check(run(lambda: c.hgetall("aioredis:h")) == {b"f": b"v", b"g": b"w"}, "another hash")


def scan():
    async def collect():
        await c.sadd("aioredis:s", *range(N))
        return {m async for m in c.isscan("aioredis:s")}

    check(len(run(collect)) == N, "SSCAN")


do("connect", connect)
do("handshake", lambda: run(lambda: c.ping()))
do("binary", binary)
do("pipeline", pipeline)
do("expiry", expiry)
do("counters", counters)
do("hashes", hashes)
do("scan", scan)
restart()
do("reconnect", lambda: again(lambda: run(lambda: c.set("aioredis:r", "1"))))
end()
