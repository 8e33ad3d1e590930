// What the Node.js programs of the compatibility table have in common.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

export const N = 1000;
export const START = "compat:start";
export const VALUE = Buffer.alloc(1 << 20, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
export const [host, port] = [process.argv.at(-2), Number(process.argv.at(-1))];

export function version(name) {
  const text = readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url));
  console.log("version: " + JSON.parse(text).version);
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const late = (what) => sleep(15000).then(() => { throw new Error(what + " takes longer than 15 s"); });

let failed = false;
// An event without a listener would end the program; the step tells what became of it.
process.on("unhandledRejection", (e) => console.error("unhandled:", e));

export async function step(name, f) {
  try {
    await Promise.race([f(), late(name)]);
    console.log(name + ": ok");
  } catch (e) {
    failed = true;
    console.log(`${name}: FAIL ${String(e?.message || e).replace(/\s+/g, " ")}`);
    if (name === "connect") process.exit(1);
  }
}

export const none = (name, why) => console.log(`${name}: none ${why}`);

export function check(ok, what) {
  if (!ok) throw new Error(what);
}

const lines = createInterface({ input: process.stdin });
export async function restart() {
  const line = new Promise((done) => lines.once("line", done));
  console.log("restart");
  await line;
}

// again repeats f for some seconds until it succeeds. A try that hangs is one that failed.
export async function again(f) {
  const end = Date.now() + 12000;
  for (;;) {
    try {
      return await Promise.race([f(), sleep(3000).then(() => { throw new Error("a try hangs"); })]);
    } catch (e) {
      if (Date.now() > end) throw e;
      await sleep(50);
    }
  }
}

export const end = () => process.exit(failed ? 1 : 0);
