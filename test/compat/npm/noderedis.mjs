// Tries node-redis from 4 on: the argument names the package.
import { N, START, VALUE, again, check, end, host, port, restart, sleep, step, version } from "./step.mjs";

const name = process.argv[2];
version(name);
const { createClient, commandOptions, RESP_TYPES } = await import(name);
const c = createClient({ socket: { host, port } });
c.on("error", (e) => console.error("event:", e.message));
const k = (s) => name + ":" + s;
const getBuffer = (key) =>
  c.withTypeMapping ? c.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(key) : c.get(commandOptions({ returnBuffers: true }), key);

await step("connect", async () => {
  await c.connect();
  await c.set(START, "1");
});
await step("handshake", () => c.ping());
await step("binary", async () => {
  await c.set(k("b"), VALUE);
  check((await getBuffer(k("b"))).equals(VALUE), "another value came back");
});
await step("pipeline", async () => {
  const p = c.multi();
  for (let i = 0; i < N / 2; i++) p.set(k("p" + i), String(i)).get(k("p" + i));
  const replies = await p.execAsPipeline();
  for (let i = 0; i < N / 2; i++) check(replies[2 * i + 1] === String(i), `reply ${i} is ${replies[2 * i + 1]}`);
});
await step("expiry", async () => {
  await c.set(k("e"), "v", { EX: 100 });
  const ttl = await c.ttl(k("e"));
  check(ttl > 90 && ttl <= 100, "TTL " + ttl);
  await c.pExpire(k("e"), 20);
  await sleep(100);
  check((await c.get(k("e"))) === null, "it is still there");
});
await step("counters", async () => {
  await c.del(k("c"));
  await c.incr(k("c"));
  await c.incrBy(k("c"), 41);
  check((await c.decr(k("c"))) === 41, "counted wrong");
});
await step("hashes", async () => {
  await c.hSet(k("h"), { f: "v", g: "w" });
  const h = await c.hGetAll(k("h"));
  check(h.f === "v" && h.g === "w", JSON.stringify(h));
});
await step("scan", async () => {
  await c.sAdd(k("s"), [...Array(N).keys()].map(String));
  const seen = new Set();
  for await (const m of c.sScanIterator(k("s"))) [m].flat().forEach((one) => seen.add(one));
  check(seen.size === N, "saw " + seen.size);
  await c.hSet(k("hs"), Object.fromEntries([...Array(N).keys()].map((i) => ["f" + i, String(i)])));
  const fields = new Set();
  for await (const e of c.hScanIterator(k("hs"))) [e].flat().forEach((one) => fields.add(one.field));
  check(fields.size === N, "saw " + fields.size + " fields");
});
await restart();
await step("reconnect", () => again(() => c.set(k("r"), "1")));
end();
