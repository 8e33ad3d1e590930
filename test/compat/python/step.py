"""What the Python programs of the compatibility table have in common."""
import sys
import time

HOST, PORT = sys.argv[1], int(sys.argv[2])
N = 1000
START = "compat:start"
VALUE = bytes(range(256)) * 4096
failed = False


def do(name, f):
    """Runs one step and tells its outcome."""
    global failed
    try:
        f()
        print(name + ": ok", flush=True)
    except Exception as e:
        failed = True
        print("%s: FAIL %s %s" % (name, type(e).__name__, " ".join(str(e).split())), flush=True)
        if name == "connect":
            sys.exit(1)


def none(name, why):
    print("%s: none %s" % (name, why), flush=True)


def check(ok, what):
    if not ok:
        raise AssertionError(str(what)[:200])


def restart():
    print("restart", flush=True)
    sys.stdin.readline()


def again(f, seconds=10):
    """Repeats f until it succeeds, for a time."""
    end = time.time() + seconds
    while True:
        try:
            return f()
        except Exception:
            if time.time() > end:
                raise
            time.sleep(0.05)


def end():
    sys.exit(1 if failed else 0)
