/**
 * Requests per second and latencies of the light endpoints under many clients: `attune serve` on each runtime beside a
 * Python server, in turn, in the same minutes. See README.md.
 *
 *     node bench/edge.ts --rounds 3 --seconds 3
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openWeights, writeSafetensors } from "../core/files/safetensors.ts";
import type { Tensor } from "../core/types.ts";
import { directoryStore } from "../runtimes/host/directory_store.ts";
import { edgeWorker, filesOf } from "../test/worker.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    clients: { type: "string", default: "64" },
    only: { type: "string" },
  },
});
const python = process.env.HF_PYTHON ?? "python3";
const cli = join(root, "runtimes/cli.ts");
const bin = (name: string): string => join(root, "node_modules/.bin", name);
const folder = mkdtempSync(join(tmpdir(), "attune-edge-"));
const model = await classifier(join(folder, "models", "classifier"));
const serve = (port: number): string[] => {
  const store = join(folder, String(port));
  return ["serve", "--port", String(port), "--store", store, "--models", join(folder, "models")];
};
const commands: Readonly<Record<string, (port: number) => readonly string[]>> = {
  node: (port) => [bin("node"), cli, ...serve(port)],
  bun: (port) => [bin("bun"), cli, ...serve(port)],
  deno: (port) => [bin("deno"), "run", "-A", "--no-check", cli, ...serve(port)],
  python: (port) => [python, join(root, "bench/hf/edge_server.py"), String(port), model],
};

type Server = Readonly<{ name: string; port: number; readyMs: number; peakBytes(): number; stop(): unknown }>;
type Work = Readonly<{ name: string; path: string; body: (server: string) => string }>;

const rows = [
  "So there is no way for me to plug it in here unless I go by a converter.",
  "Good case, excellent value.",
  "The battery lasts all day, even with the screen on, which I did not expect at that price.",
  "I was not impressed by the food, and the service was very slow.",
  "Wasted two hours.",
  "It is a film about growing old, told without hurry and without a single false note.",
  "Crust is not good.",
  "Would not go back, though the waitress did everything she could to make up for the kitchen.",
];
const classes = (seed: number): number[] => Array.from({ length: 1000 }, (_, i) => (i * seed + (i >> 3)) % 7 % 3);
const [predictions, references] = [classes(5), classes(3)];
const works: readonly Work[] = [
  {
    name: "tokenize 8 sentences",
    path: "/v1/tokenize",
    body: (server) =>
      JSON.stringify(
        server === "python"
          ? { input: rows, maxLength: 64 }
          : { tokenizer: "attune:base", input: rows, options: { padding: true, truncation: true, maxLength: 64 } },
      ),
  },
  {
    name: "evaluate 1,000 rows",
    path: "/v1/evaluate",
    body: (server) => {
      const metrics = ["accuracy", { use: "f1", with: { average: "macro" } }, "matthews-correlation"];
      return JSON.stringify({ ...(server === "python" ? {} : { metrics }), predictions, references });
    },
  },
  {
    name: "classify 8 sentences",
    path: "/v1/classify",
    body: (server) => JSON.stringify({ ...(server === "python" ? {} : { model: "classifier" }), input: rows }),
  },
];

/** Writes attune:base with a head of two classes, like any checkpoint that was trained to classify. */
async function classifier(to: string): Promise<string> {
  const from = join(root, "plugins/models/base");
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) writeFileSync(join(to, name), readFileSync(join(from, name)));
  const config = JSON.parse(readFileSync(join(from, "config.json"), "utf8"));
  const id2label = { 0: "bad", 1: "good" };
  const own = { ...config, architectures: ["BertForSequenceClassification"], id2label, label2id: { bad: 0, good: 1 } };
  writeFileSync(join(to, "config.json"), JSON.stringify(own));
  const weights = await openWeights(directoryStore(from));
  const hidden = Number(config.hidden_size);
  const head = (dims: readonly number[], by: number): Tensor<Float32Array> => ({
    dtype: "float32",
    dims,
    data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => by * Math.sin(1 + i)),
  });
  const tensors: Record<string, Tensor<Float32Array>> = {};
  for (const name of weights.names) tensors[`bert.${name.replace(/^bert\./, "")}`] = await weights.read(name);
  tensors["bert.pooler.dense.weight"] = head([hidden, hidden], 0.1);
  tensors["bert.pooler.dense.bias"] = head([hidden], 0);
  tensors["classifier.weight"] = head([2, hidden], 0.1);
  tensors["classifier.bias"] = head([2], 0);
  writeFileSync(join(to, "model.safetensors"), writeSafetensors(tensors));
  return to;
}

async function worker(): Promise<Server> {
  const start = performance.now();
  const own = await edgeWorker();
  for (const [name, bytes] of Object.entries(filesOf(model))) await own.put(`classifier/${name}`, bytes);
  const port = Number(new URL(own.url).port);
  const readyMs = performance.now() - start;
  return { name: "workerd", port, readyMs, peakBytes: () => own.peakBytes() ?? NaN, stop: () => own.dispose() };
}

async function started(name: string, port: number): Promise<Server> {
  if (name === "workerd") return await worker();
  const [program = "", ...args] = commands[name]?.(port) ?? [];
  const start = performance.now();
  const env = { ...process.env, ATTUNE_API_KEY: "key", ATTUNE_RUNNER_TOKEN: "runner", ATTUNE_ADMIN_KEY: "admin" };
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  for (let i = 0; i < 1200; i++) {
    try {
      await asked(port, "GET", name === "python" ? "/docs" : "/healthz");
      const peakBytes = (): number =>
        1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]);
      return { name, port, readyMs: performance.now() - start, peakBytes, stop: () => child.kill("SIGKILL") };
    } catch {
      await new Promise((r) => setTimeout(r, 50));
    }
  }
  throw new Error(`${name} does not answer`);
}

function asked(port: number, method: string, path: string, body?: string, agent?: http.Agent): Promise<string> {
  const headers = { authorization: "Bearer key", "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const call = http.request(
      { port, method, path, headers, ...(agent ? { agent } : {}), host: "127.0.0.1" },
      (answer) => {
        const parts: Uint8Array[] = [];
        answer.on("data", (part: Uint8Array) => parts.push(part));
        answer.on("end", () => {
          const text = parts.map((part) => new TextDecoder().decode(part)).join("");
          if (answer.statusCode === 200) resolve(text);
          else reject(new Error(`${answer.statusCode} ${text.slice(0, 300)}`));
        });
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

/** Runs clients that each send one request after the other for some seconds. Returns latencies in milliseconds. */
async function load({ name, port }: Server, work: Work, seconds: number): Promise<number[]> {
  const body = work.body(name);
  const until = performance.now() + 1000 * seconds;
  const latencies: number[] = [];
  // New connections, because those of an earlier turn may have been closed.
  const agent = new http.Agent({ keepAlive: true, maxSockets: Number(values.clients) });
  await Promise.all(Array.from({ length: Number(values.clients) }, async () => {
    while (performance.now() < until) {
      const before = performance.now();
      await asked(port, "POST", work.path, body, agent);
      latencies.push(performance.now() - before);
    }
  }));
  agent.destroy();
  return latencies;
}

const names = [...Object.keys(commands), "workerd"].filter((name) =>
  values.only === undefined || values.only.split(",").includes(name)
);
const servers: Server[] = [];
try {
  for (const [i, name] of names.entries()) servers.push(await started(name, 18_700 + i));
  for (const work of works) {
    // The same work has the same result, except for the last digits.
    const answers = await Promise.all(
      servers.map(async (s) => JSON.parse(await asked(s.port, "POST", work.path, work.body(s.name)))),
    );
    const essence = answers.map(({ encodings, metrics, results }) =>
      results
        ? results.map((r: { label: string; score: number }) => [r.label, r.score.toFixed(4)])
        : encodings
        ? encodings.map((e: { inputIds: number[] }) => e.inputIds)
        : Object.entries<number>(metrics).map(([key, value]) => [key, value.toFixed(12)])
    );
    for (const other of essence.slice(1)) assert.deepEqual(other, essence[0]);
    const all = new Map<string, number[]>(names.map((name) => [name, []]));
    const rounds = Number(values.rounds);
    for (const server of servers) await load(server, work, 1);
    for (let round = 0; round < rounds; round++) {
      for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
        all.get(server.name)?.push(...await load(server, work, Number(values.seconds)));
      }
    }
    for (const { name, peakBytes, readyMs } of servers) {
      const sorted = (all.get(name) ?? []).sort((a, b) => a - b);
      const at = (share: number): number => Number((sorted[Math.floor(share * sorted.length)] ?? 0).toFixed(1));
      const perSecond = Math.round(sorted.length / (rounds * Number(values.seconds)));
      const peakMiB = Math.round(peakBytes() / 2 ** 20);
      process.stdout.write(
        `${
          JSON.stringify({
            work: work.name,
            server: name,
            perSecond,
            p50: at(0.5),
            p99: at(0.99),
            peakMiB,
            readyMs: Math.round(readyMs),
          })
        }\n`,
      );
    }
  }
} finally {
  for (const { stop } of servers) await stop();
}
