// Tries the queues BullMQ and Bull, whose name is the argument. They are made of scripts with many
// keys, streams and blocking pops.
import { START, check, end, host, port, step, version } from "./step.mjs";

const name = process.argv[2];
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
  const q = new Queue("compat", { connection });
  q.on("error", heard);
  redis = () => q.waitUntilReady().then(() => q.backend.client);
  add = () => q.add("job", { n: 1 });
  work = (f) => new Worker("compat", f, { connection: { ...connection, maxRetriesPerRequest: null } }).on("error", heard);
} else {
  const { default: Bull } = await import("bull");
  const q = new Bull("compat", { redis: connection });
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
await step("work", () => new Promise((done) => work(async () => done())));
end();
