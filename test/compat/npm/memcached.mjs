// Tries the memcached library that the argument names.
import { N, START, VALUE, again, check, end, host, none, port, restart, sleep, step, version } from "./step.mjs";

const name = process.argv[2];
version(name);
const k = (s) => name + ":" + s;
const promised = (o, f, ...args) =>
  new Promise((done, fail) => o[f](...args, (e, v) => (e ? fail(e instanceof Error ? e : new Error(String(e))) : done(v))));
const { default: Library, ...named } = await import(name);

// Each has the same calls under other names.
const calls = {
  memcached() {
    const c = new Library(`${host}:${port}`);
    return {
      set: (key, v, s = 0) => promised(c, "set", key, v, s),
      get: (key) => promised(c, "get", key),
      getMulti: (keys) => promised(c, "getMulti", keys),
      touch: (key, s) => promised(c, "touch", key, s),
      incr: (key, n) => promised(c, "incr", key, n),
      decr: (key, n) => promised(c, "decr", key, n),
      version: () => promised(c, "version"),
      async cas(key) {
        const { cas } = await promised(c, "gets", key);
        const first = await promised(c, "cas", key, "new", cas, 0);
        const second = await promised(c, "cas", key, "newer", cas, 0).catch(() => false);
        return first && !second;
      },
      async append(key) {
        await promised(c, "del", key);
        await promised(c, "add", key, "a", 0);
        await promised(c, "append", key, "b");
      },
    };
  },
  "memcache-client"() {
    const c = new (named.MemcacheClient || Library.MemcacheClient)({ server: `${host}:${port}`, ignoreNotStored: true });
    return {
      set: (key, v, s = 0) => c.set(key, v, { lifetime: s }),
      get: async (key) => (await c.get(key))?.value,
      getMulti: async (keys) => Object.fromEntries(Object.entries(await c.get(keys)).map(([key, v]) => [key, v.value])),
      touch: (key, s) => c.touch(key, s),
      incr: async (key, n) => Number(await c.incr(key, n)),
      decr: async (key, n) => Number(await c.decr(key, n)),
      version: () => c.version(),
      async cas(key) {
        const { casUniq } = await c.gets(key);
        await c.cas(key, "new", { casUniq });
        return c.cas(key, "newer", { casUniq }).then((v) => !v || v[0] === "EXISTS", () => true);
      },
      async append(key) {
        await c.delete(key).catch(() => {});
        await c.add(key, "a");
        await c.append(key, "b");
      },
    };
  },
  memcache() {
    const c = new named.Memcache({ nodes: [`${host}:${port}`] });
    return {
      set: (key, v, s = 0) => c.set(key, v, s).then((ok) => check(ok, "set returned false")),
      get: (key) => c.get(key),
      getMulti: async (keys) => Object.fromEntries(await c.gets(keys)),
      touch: (key, s) => c.touch(key, s),
      incr: (key, n) => c.incr(key, n),
      decr: (key, n) => c.decr(key, n),
      version: () => c.version(),
      async append(key) {
        await c.delete(key);
        await c.add(key, "a");
        await c.append(key, "b");
      },
    };
  },
  memjs() {
    const c = Library.Client.create(`${host}:${port}`);
    return {
      set: (key, v, s = 0) => c.set(key, v, { expires: s }).then((ok) => check(ok, "set returned false")),
      get: async (key) => (await c.get(key)).value,
    };
  },
};
const c = calls[name]();

await step("connect", async () => {
  await c.set(START, "1");
  const got = String(await c.get(START));
  check(got === "1", "got " + got);
});
if (name !== "memjs") {
  await step("handshake", () => c.version());
  if (name === "memcache") none("binary", "it reads values as text");
  else
    await step("binary", async () => {
      // It counts most bytes twice, up to 1 MiB.
      const value = name === "memcached" ? VALUE.subarray(0, VALUE.length / 2) : VALUE;
      await c.set(k("b"), value);
      check(value.equals(await c.get(k("b"))), "another value came back");
    });
  await step("multiget", async () => {
    const keys = [...Array(N).keys()].map((i) => k("m" + i));
    for (const [i, key] of keys.entries()) await c.set(key, String(i));
    const got = await c.getMulti(keys);
    keys.forEach((key, i) => check(String(got[key]) === String(i), `${key} is ${got[key]}`));
  });
  await step("expiry", async () => {
    await c.set(k("e"), "v", 100);
    check((await c.get(k("e"))) === "v", "not there");
    await c.touch(k("e"), 1);
    await sleep(2200);
    check((await c.get(k("e"))) === undefined, "it is still there");
  });
  await step("counters", async () => {
    await c.set(k("c"), "1");
    await c.incr(k("c"), 41);
    check((await c.decr(k("c"), 1)) === 41, "counted wrong");
  });
  if (!c.cas) none("cas", "it does not read the value's number");
  else
    await step("cas", async () => {
      await c.set(k("cas"), "old");
      check(await c.cas(k("cas")), "cas");
    });
  await step("append", async () => {
    await c.append(k("a"));
    check((await c.get(k("a"))) === "ab", "another value");
  });
}
await restart();
await step("reconnect", () => again(() => c.set(k("r"), "1")));
end();
