// Tries Valkey GLIDE, whose core is in Rust.
import { Batch, Decoder, GlideClient, TimeUnit } from "@valkey/valkey-glide";
import { N, START, VALUE, again, check, end, host, port, restart, sleep, step, version } from "./step.mjs";

version("@valkey/valkey-glide");
let c;
const k = (s) => "glide:" + s;

await step("connect", async () => {
  c = await GlideClient.createClient({ addresses: [{ host, port }] });
  await c.set(START, "1");
});
await step("handshake", () => c.ping());
await step("binary", async () => {
  await c.set(k("b"), VALUE);
  check((await c.get(k("b"), { decoder: Decoder.Bytes })).equals(VALUE), "another value came back");
});
await step("pipeline", async () => {
  const b = new Batch(false);
  for (let i = 0; i < N / 2; i++) b.set(k("p" + i), String(i)).get(k("p" + i));
  const replies = await c.exec(b, true, { timeout: 5000 });
  for (let i = 0; i < N / 2; i++) check(replies[2 * i + 1] === String(i), `reply ${i} is ${replies[2 * i + 1]}`);
});
await step("expiry", async () => {
  await c.set(k("e"), "v", { expiry: { type: TimeUnit.Seconds, count: 100 } });
  const ttl = await c.ttl(k("e"));
  check(ttl > 90 && ttl <= 100, "TTL " + ttl);
  await c.pexpire(k("e"), 20);
  await sleep(100);
  check((await c.get(k("e"))) === null, "it is still there");
});
await step("counters", async () => {
  await c.del([k("c")]);
  await c.incr(k("c"));
  await c.incrBy(k("c"), 41);
  check((await c.decr(k("c"))) === 41, "counted wrong");
});
await step("hashes", async () => {
  await c.hset(k("h"), { f: "v", g: "w" });
  const h = Object.fromEntries((await c.hgetall(k("h"))).map((e) => [e.field, e.value]));
  check(h.f === "v" && h.g === "w", JSON.stringify(h));
});
await step("scan", async () => {
  await c.sadd(k("s"), [...Array(N).keys()].map(String));
  const seen = new Set();
  let cursor = "0";
  do {
    const [next, members] = await c.sscan(k("s"), cursor);
    members.forEach((m) => seen.add(m));
    cursor = next;
  } while (cursor !== "0");
  check(seen.size === N, "saw " + seen.size);
});
await restart();
await step("reconnect", () => again(() => c.set(k("r"), "1")));
end();
