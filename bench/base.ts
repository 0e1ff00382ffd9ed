/**
 * attune:base in Node and in workerd: time until the first embedding, tokens a second, memory. `node bench/base.ts [--rounds 5]`
 *
 * Both process the same texts in turn, so that other load on the machine affects both alike.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { openAdapterPool } from "../core/inference/adapter_pool.ts";
import { catalog } from "../plugins/catalog.ts";
import { reviews } from "../plugins/data/reviews.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { edgeWorker } from "../test/worker.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, texts: { type: "string", default: "64" } },
});

const host = await hostHere(1);
const texts: string[] = [];
for await (const { row } of (await reviews({ split: "test" }).open(host)).read()) {
  if (texts.push(String(row.text)) >= Number(values.texts)) break;
}
const middle = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[all.length >> 1] ?? NaN;
const timed = async <T>(act: () => Promise<T>): Promise<readonly [number, T]> => {
  const start = performance.now();
  const value = await act();
  return [performance.now() - start, value];
};

const run = compose({
  version: 1,
  model: { use: "pretrained", with: { path: "attune:base" } },
  task: { use: "feature-extraction" },
  data: {},
}, catalog);
const embed = async (set: Awaited<ReturnType<typeof openAdapterPool>>, own: readonly string[]): Promise<number> => {
  const samples = await set.encode(own.map((text) => ({ text })));
  for await (const _ of set.predictSamples(samples));
  return samples.reduce((n, { sequences }) => n + (sequences[0]?.length ?? 0), 0);
};
const [nodeLoad, set] = await timed(async () => {
  const pool = await openAdapterPool(run, host, { batchTokens: 4096 });
  await embed(pool, ["warm"]);
  return pool;
});

const worker = await edgeWorker();
const ask = async (input: readonly string[]): Promise<number> => {
  const { status, json } = await worker.post<{ usage: { total_tokens: number } }>("/v1/embeddings", {
    model: "attune:base",
    input,
  });
  if (status !== 200) throw new Error(JSON.stringify(json));
  return json.usage.total_tokens;
};
await fetch(`${worker.url}/healthz`);
const idle = worker.peakBytes() ?? NaN;
const [workerLoad] = await timed(() => ask(["warm"]));

const rates = { node: [] as number[], workerd: [] as number[] };
const single = { node: [] as number[], workerd: [] as number[] };
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [name, act] of [["node", (own: string[]) => embed(set, own)], ["workerd", ask]] as const) {
    const [ms, tokens] = await timed(() => act(texts));
    const [one] = await timed(() => act(texts.slice(round, round + 1)));
    if (round === 0) continue;
    rates[name].push(1000 * tokens / ms);
    single[name].push(one);
  }
}
const peak = worker.peakBytes() ?? NaN;
await worker.dispose();
await set.close();
const table = [
  ["", "Node (onnxruntime-node, 1 thread)", "workerd (onnxruntime-web)"],
  ["until the first embedding, ms", nodeLoad.toFixed(0), workerLoad.toFixed(0)],
  ["tokens/s", middle(rates.node).toFixed(0), middle(rates.workerd).toFixed(0)],
  ["one text, ms", middle(single.node).toFixed(1), middle(single.workerd).toFixed(1)],
  ["peak over idle, MiB", "", ((peak - idle) / 2 ** 20).toFixed(0)],
];
process.stdout.write(table.map((row) => `| ${row.join(" | ")} |`).join("\n") + "\n");
