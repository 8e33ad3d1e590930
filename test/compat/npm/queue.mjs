// Tries the queues BullMQ and Bull, whose name is the argument. They are made of scripts with many
// keys, streams and blocking pops.
import { START, check, end, host, port, sleep, step, version } from "./step.mjs";

// With the argument bullmq{} or bull{} all keys of a queue have one hash tag, and live on one server.
const name = process.argv[2].replace("{}", "");
const tagged = process.argv[2] === name ? {} : { prefix: "{" + name + "}" };
version(name);
const connection = { host, port };
let add, work, redis;
const trouble = new Set();
const heard = (e) => {
  if (!trouble.has(e.message)) console.error("event:", e.message);
  trouble.add(e.message);
};
if (name === "bullmq") {
  const { Queue, Worker } = await import("bullmq");
  const q = new Queue("compat", { connection, ...tagged });
  q.on("error", heard);
  redis = () => q.waitUntilReady().then(() => q.backend.client);
  add = () => q.add("job", { n: 1 });
  work = (f) => new Worker("compat", f, { connection: { ...connection, maxRetriesPerRequest: null }, ...tagged }).on("error", heard);
} else {
  const { default: Bull } = await import("bull");
  const q = new Bull("compat", { redis: connection, ...tagged });
  q.on("error", heard);
  redis = () => q.isReady().then(() => q.client);
  add = () => q.add({ n: 1 });
  work = (f) => q.process(f);
}
await step("connect", async () => (await redis()).set(START, "1"));
await step("add", async () => {
  await add();
  check(trouble.size === 0, [...trouble][0]);
});
// A job that is there, and one that comes while the worker waits for it.
await step("work", async () => {
  let done;
  const job = () => new Promise((f) => { done = f; });
  let taken = job();
  work(async () => done());
  await taken;
  taken = job();
  await sleep(1000);
  await add();
  await taken;
  check(trouble.size === 0, [...trouble][0]);
});
end();
