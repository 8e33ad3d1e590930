"""Tries the memcached library that the argument names."""
import sys

which = sys.argv.pop(1)
import time

from step import *

ADDR = "%s:%d" % (HOST, PORT)
name = "py-" + which + ":"
if which == "pymemcache":
    import pymemcache

    print("version: " + pymemcache.__version__, flush=True)
    # A timeout of none is its default; HashClient, which reconnects, wants a list.
    c = pymemcache.Client((HOST, PORT))
    many, touch, miss = c.set_many, c.touch, None
    append = c.append
elif which == "pylibmc":
    import pylibmc

    print("version: " + pylibmc.__version__, flush=True)
    c = pylibmc.Client([ADDR])
    many, touch, append = c.set_multi, c.touch, c.append
elif which == "python-memcached":
    import memcache

    print("version: " + memcache.__version__, flush=True)
    c = memcache.Client([ADDR], cache_cas=True)
    many, touch, append = c.set_multi, c.touch, c.append
elif which == "bmemcached":
    import bmemcached

    try:
        from importlib.metadata import version

        print("version: " + version("python-binary-memcached"), flush=True)
    except Exception:
        pass
    c = bmemcached.Client([ADDR])


def connect():
    check(c.set(START, "1"), "set returned false")
    check(c.get(START) in ("1", b"1"), "get returned %r" % c.get(START))


def handshake():
    if which == "pymemcache":
        check(c.version(), "no version")
    else:
        stats = getattr(c, "get_versions", None) or (lambda: True)
        check(stats(), "no version")


def binary():
    check(c.set(name + "b", VALUE), "set returned false")
    check(c.get(name + "b") == VALUE, "another value came back")


def multiget():
    keys = ["%sm%d" % (name, i) for i in range(N)]
    left = many({k: str(i) for i, k in enumerate(keys)})
    check(not left, "not set: %r" % left)
    got = c.get_multi(keys) if hasattr(c, "get_multi") else c.get_many(keys)
    want = [str(i) for i in range(N)]
    found = [got.get(k) for k in keys]
    check([f.decode() if isinstance(f, bytes) else f for f in found] == want, "%d of %d" % (len(got), N))


def expiry():
    c.set(name + "e", "v", 100)
    check(c.get(name + "e") in ("v", b"v"), "not there")
    check(touch(name + "e", 1), "touch returned false")
    time.sleep(2.2)
    check(c.get(name + "e") is None, "it is still there")


def counters():
    c.set(name + "c", "1" if which != "pylibmc" else 1)
    c.incr(name + "c", 41)
    check(c.decr(name + "c", 1) == 41, "counted wrong")


def cas():
    c.set(name + "cas", "old")
    if which == "pylibmc":
        c.behaviors["cas"] = True
        _, token = c.gets(name + "cas")
        first, second = c.cas(name + "cas", "new", token), c.cas(name + "cas", "newer", token)
    elif which == "pymemcache":
        _, token = c.gets(name + "cas")
        first, second = c.cas(name + "cas", "new", token), c.cas(name + "cas", "newer", token)
    else:
        c.gets(name + "cas")
        first = c.cas(name + "cas", "new")
        c.gets(name + "cas")
        memcache.Client([ADDR]).set(name + "cas", "other")
        second = c.cas(name + "cas", "newer")
    check(first and not second, "first %r, second %r" % (first, second))


def appending():
    c.delete(name + "a")
    check(c.add(name + "a", "a"), "add returned false")
    check(append(name + "a", "b"), "append returned false")
    check(c.get(name + "a") in ("ab", b"ab"), "another value")


def reconnect():
    check(c.set(name + "r", "1") and c.get(name + "r") in ("1", b"1"), "not set")


do("connect", connect)
if which != "bmemcached":
    do("handshake", handshake)
    do("binary", binary)
    do("multiget", multiget)
    do("expiry", expiry)
    do("counters", counters)
    do("cas", cas)
    do("append", appending)
restart()
# python-memcached leaves a server alone for 30 seconds after a failure.
do("reconnect", lambda: again(reconnect, 40))
end()
