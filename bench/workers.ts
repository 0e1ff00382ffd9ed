/**
 * Sizes of the two Workers, their start time in workerd, and the processor time of a request:
 * `node bench/workers.ts --rounds 5 --requests 200`.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { writeSafetensors } from "../core/files/safetensors.ts";
import { f32 } from "../core/base/tensor.ts";
import { type EdgeWorker, edgeWorker, type WorkerEntry, workerRuntime, workerScript } from "../test/worker.ts";
import { jsonBytes } from "../core/base/bytes.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, requests: { type: "string", default: "200" } },
});
const sentences = Array.from({ length: 8 }, (_, i) => `It is film ${i} about growing old, told without hurry.`);
const classes = (seed: number): number[] => Array.from({ length: 1000 }, (_, i) => (i * seed + (i >> 3)) % 7 % 3);

const config = {
  peft_type: "LORA",
  task_type: "SEQ_CLS",
  r: 8,
  lora_alpha: 8,
  target_modules: ["query"],
  bias: "none",
};
const factors = (seed: number): Uint8Array =>
  writeSafetensors(Object.fromEntries(
    Array.from({ length: 6 }, (_, layer) =>
      (["lora_A", "lora_B"] as const).map((name) => [
        `base_model.model.bert.encoder.layer.${layer}.attention.self.query.${name}.weight`,
        f32(name === "lora_A" ? [8, 384] : [384, 8], Array.from({ length: 3072 }, (_, i) => Math.sin(seed + i))),
      ])).flat(),
  ));

const works: Readonly<Record<string, Readonly<{ path: string; body: object; light: boolean }>>> = {
  "tokenize 8 sentences": { path: "/v1/tokenize", body: { tokenizer: "attune:base", input: sentences }, light: true },
  "metrics of 1,000 rows": {
    path: "/v1/evaluate",
    body: {
      metrics: ["accuracy", "f1"],
      predictions: classes(5).map((c) => c % 2),
      references: classes(3).map((c) => c % 2),
    },
    light: true,
  },
  "merge two adapters of 0.3 MB": {
    path: "/v1/adapters/merge",
    body: { adapters: [{ file: "a", weight: 0.5 }, { file: "b", weight: 0.5 }], method: "linear" },
    light: true,
  },
  "embed one sentence": { path: "/v1/embeddings", body: { model: "attune:base", input: sentences[0] }, light: false },
};

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[all.length >> 1] ?? NaN;
const kB = (bytes: Uint8Array): number => Math.round(gzipSync(bytes, { level: 9 }).length / 1000);

async function ask(worker: EdgeWorker, path: string, body: object): Promise<number> {
  const headers = { authorization: "Bearer key", "content-type": "application/json" };
  const answer = await fetch(worker.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
  return (await answer.arrayBuffer()).byteLength;
}

/** Measures milliseconds from workerd's start to a Worker's first response, and processor milliseconds. */
async function start(entry: WorkerEntry, script: Uint8Array<ArrayBuffer>): Promise<[ms: number, processorMs: number]> {
  const before = performance.now();
  const worker = await edgeWorker(entry, script);
  await (await fetch(`${worker.url}/healthz`)).text();
  const ms = performance.now() - before;
  const processorMs = worker.processorMs() ?? NaN;
  await worker.dispose();
  return [ms, processorMs];
}

const nothing = new TextEncoder().encode('export default { fetch: () => new Response("ok") };');
const scripts = { light: await workerScript("light"), worker: await workerScript("worker") };
say({ gzippedKB: { light: kB(scripts.light), worker: kB(scripts.worker) + kB(workerRuntime()) } });

const times: Record<"nothing" | WorkerEntry, [number, number][]> = { nothing: [], light: [], worker: [] };
for (let round = 0; round < Number(values.rounds); round++) {
  times.nothing.push(await start("light", nothing));
  times.light.push(await start("light", scripts.light));
  times.worker.push(await start("worker", scripts.worker));
}
for (const name of ["light", "worker"] as const) {
  const over = (which: 0 | 1): number =>
    Math.round(median(times[name].map((t) => t[which])) - median(times.nothing.map((t) => t[which])));
  // Beyond a Worker that does nothing: compiling and running the script, creating the app, the first response.
  say({ worker: name, startMs: over(0), startProcessorMs: over(1) });
}

for (const name of ["light", "worker"] as const) {
  const worker = await edgeWorker(name, scripts[name]);
  for (const [i, file] of ["a", "b"].entries()) {
    await worker.put(`${file}/adapter_config.json`, jsonBytes(config));
    await worker.put(`${file}/adapter_model.safetensors`, factors(i));
  }
  for (const [work, { path, body, light }] of Object.entries(works)) {
    if (name === "light" && !light) continue;
    const idle = worker.processorMs() ?? NaN;
    await ask(worker, path, body);
    const first = (worker.processorMs() ?? NaN) - idle;
    for (let i = 0; i < 30; i++) await ask(worker, path, body);
    const before = worker.processorMs() ?? NaN;
    const requests = Number(values.requests);
    for (let i = 0; i < requests; i++) await ask(worker, path, body);
    const each = ((worker.processorMs() ?? NaN) - before) / requests;
    say({ worker: name, work, firstProcessorMs: first, processorMs: Number(each.toFixed(2)) });
  }
  await worker.dispose();
}
