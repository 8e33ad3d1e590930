// Tries ioredis, or what the argument names: an older one, or Valkey's copy of it.
import { N, START, VALUE, again, check, end, host, port, restart, sleep, step, version } from "./step.mjs";

const name = process.argv[2];
version(name);
const { Redis } = await import(name);
const c = new Redis(port, host);
c.on("error", (e) => console.error("event:", e.message));
const k = (s) => name + ":" + s;

await step("connect", () => c.set(START, "1"));
await step("handshake", () => c.ping());
await step("binary", async () => {
  await c.set(k("b"), VALUE);
  check((await c.getBuffer(k("b"))).equals(VALUE), "another value came back");
});
await step("pipeline", async () => {
  const p = c.pipeline();
  for (let i = 0; i < N / 2; i++) p.set(k("p" + i), i).get(k("p" + i));
  const replies = await p.exec();
  for (let i = 0; i < N / 2; i++) check(replies[2 * i + 1][1] === String(i), `reply ${i} is ${replies[2 * i + 1]}`);
});
await step("expiry", async () => {
  await c.set(k("e"), "v", "EX", 100);
  const ttl = await c.ttl(k("e"));
  check(ttl > 90 && ttl <= 100, "TTL " + ttl);
  await c.pexpire(k("e"), 20);
  await sleep(100);
  check((await c.get(k("e"))) === null, "it is still there");
});
await step("counters", async () => {
  await c.del(k("c"));
  await c.incr(k("c"));
  await c.incrby(k("c"), 41);
  check((await c.decr(k("c"))) === 41, "counted wrong");
});
await step("hashes", async () => {
  await c.hset(k("h"), { f: "v", g: "w" });
  const h = await c.hgetall(k("h"));
  check(h.f === "v" && h.g === "w", JSON.stringify(h));
});
await step("scan", async () => {
  await c.sadd(k("s"), ...Array(N).keys());
  const seen = new Set();
  for await (const page of c.sscanStream(k("s"))) page.forEach((m) => seen.add(m));
  check(seen.size === N, "saw " + seen.size);
  await c.hset(k("hs"), Object.fromEntries([...Array(N).keys()].map((i) => ["f" + i, i])));
  const fields = new Set();
  for await (const page of c.hscanStream(k("hs"))) for (let i = 0; i < page.length; i += 2) fields.add(page[i]);
  check(fields.size === N, "saw " + fields.size + " fields");
});
await restart();
await step("reconnect", () => again(() => c.set(k("r"), "1")));
end();
