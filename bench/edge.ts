/**
 * Requests per second and latencies of the light endpoints under many clients: `attune serve` on each runtime beside a
 * Python server, in turn, in the same minutes. See README.md.
 *
 *     node bench/edge.ts --rounds 3 --seconds 3
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

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
const serve = (
  port: number,
): string[] => ["serve", "--port", String(port), "--store", mkdtempSync(join(tmpdir(), "edge-"))];
const base = join(root, "plugins/sources/base/tokenizer.json");
const commands: Readonly<Record<string, (port: number) => readonly string[]>> = {
  node: (port) => [bin("node"), cli, ...serve(port)],
  bun: (port) => [bin("bun"), cli, ...serve(port)],
  deno: (port) => [bin("deno"), "run", "-A", "--no-check", cli, ...serve(port)],
  python: (port) => [python, join(root, "bench/hf/edge_server.py"), String(port), base],
};

type Server = Readonly<{ name: string; port: number; child: ChildProcess; readyMs: number }>;
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
];

async function started(name: string, port: number): Promise<Server> {
  const [program = "", ...args] = commands[name]?.(port) ?? [];
  const start = performance.now();
  const env = { ...process.env, ATTUNE_API_KEY: "key", ATTUNE_RUNNER_TOKEN: "runner", ATTUNE_ADMIN_KEY: "admin" };
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  for (let i = 0; i < 1200; i++) {
    try {
      await asked(port, "GET", name === "python" ? "/docs" : "/healthz");
      return { name, port, child, readyMs: performance.now() - start };
    } catch {
      await new Promise((r) => setTimeout(r, 50));
    }
  }
  throw new Error(`${name} does not answer`);
}

const agent = new http.Agent({ keepAlive: true, maxSockets: Number(values.clients) });
function asked(port: number, method: string, path: string, body?: string): Promise<string> {
  const headers = { authorization: "Bearer key", "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const call = http.request({ port, method, path, headers, agent, host: "127.0.0.1" }, (answer) => {
      const parts: Uint8Array[] = [];
      answer.on("data", (part: Uint8Array) => parts.push(part));
      answer.on("end", () => {
        const text = parts.map((part) => new TextDecoder().decode(part)).join("");
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`${answer.statusCode} ${text.slice(0, 300)}`));
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}

/** So many clients, each with one request after the other, for so many seconds. Latencies in milliseconds. */
async function load({ name, port }: Server, work: Work, seconds: number): Promise<number[]> {
  const body = work.body(name);
  const until = performance.now() + 1000 * seconds;
  const latencies: number[] = [];
  await Promise.all(Array.from({ length: Number(values.clients) }, async () => {
    while (performance.now() < until) {
      const before = performance.now();
      await asked(port, "POST", work.path, body);
      latencies.push(performance.now() - before);
    }
  }));
  return latencies;
}

const names = Object.keys(commands).filter((name) =>
  values.only === undefined || values.only.split(",").includes(name)
);
const servers: Server[] = [];
try {
  for (const [i, name] of names.entries()) servers.push(await started(name, 18_700 + i));
  for (const work of works) {
    // The same work gives the same answer, but for its last digits.
    const answers = await Promise.all(
      servers.map(async (s) => JSON.parse(await asked(s.port, "POST", work.path, work.body(s.name)))),
    );
    const essence = answers.map(({ encodings, metrics }) =>
      encodings
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
    for (const { name, child, readyMs } of servers) {
      const sorted = (all.get(name) ?? []).sort((a, b) => a - b);
      const at = (share: number): number => Number((sorted[Math.floor(share * sorted.length)] ?? 0).toFixed(1));
      const perSecond = Math.round(sorted.length / (rounds * Number(values.seconds)));
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const peakMiB = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
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
  for (const { child } of servers) child.kill("SIGKILL");
}
