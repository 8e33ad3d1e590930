// Tries node-redis 3, which many applications still have.
import { createRequire } from "node:module";
import { N, START, VALUE, again, check, end, host, port, restart, sleep, step, version } from "./step.mjs";

version("redis3");
const redis = createRequire(import.meta.url)("redis3");
const c = redis.createClient({ host, port, detect_buffers: true });
c.on("error", (e) => console.error("event:", e.message));
const call = (command, ...args) =>
  new Promise((done, fail) => c[command](...args, (e, reply) => (e ? fail(e) : done(reply))));
const k = (s) => "noderedis3:" + s;

await step("connect", () => call("set", START, "1"));
await step("handshake", () => call("ping"));
await step("binary", async () => {
  await call("set", k("b"), VALUE);
  check((await call("get", Buffer.from(k("b")))).equals(VALUE), "another value came back");
});
await step("pipeline", async () => {
  const p = c.batch();
  for (let i = 0; i < N / 2; i++) p.set(k("p" + i), i).get(k("p" + i));
  const replies = await new Promise((done, fail) => p.exec((e, r) => (e ? fail(e) : done(r))));
  for (let i = 0; i < N / 2; i++) check(replies[2 * i + 1] === String(i), `reply ${i} is ${replies[2 * i + 1]}`);
});
await step("expiry", async () => {
  await call("set", k("e"), "v", "EX", 100);
  const ttl = await call("ttl", k("e"));
  check(ttl > 90 && ttl <= 100, "TTL " + ttl);
  await call("pexpire", k("e"), 20);
  await sleep(100);
  check((await call("get", k("e"))) === null, "it is still there");
});
await step("counters", async () => {
  await call("del", k("c"));
  await call("incr", k("c"));
  await call("incrby", k("c"), 41);
  check((await call("decr", k("c"))) === 41, "counted wrong");
});
await step("hashes", async () => {
  await call("hset", k("h"), "f", "v", "g", "w");
  const h = await call("hgetall", k("h"));
  check(h.f === "v" && h.g === "w", JSON.stringify(h));
});
await step("scan", async () => {
  await call("sadd", k("s"), ...Array(N).keys());
  const seen = new Set();
  let cursor = "0";
  do {
    const [next, members] = await call("sscan", k("s"), cursor);
    members.forEach((m) => seen.add(m));
    cursor = next;
  } while (cursor !== "0");
  check(seen.size === N, "saw " + seen.size);
});
await restart();
await step("reconnect", () => again(() => call("set", k("r"), "1")));
end();
