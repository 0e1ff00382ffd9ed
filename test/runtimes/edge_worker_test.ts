import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { predictRows } from "../../core/run/evaluate/infer.ts";
import { openRun } from "../../core/run/open/open.ts";
import { trainRun } from "../../core/run/train/train.ts";
import { storeWithin } from "../../core/files/within.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { here } from "../faults/killed_runs.ts";
import { tinyRows } from "../tiny.ts";
import type { EdgeWorker } from "../worker.ts";

type Result = { label: string; score: number; scores: Named<number> };
type Results = { results: Result[] };

/** What an isolate may have. */
const LIMIT = 128 * 2 ** 20;

const texts = tinyRows.slice(0, 4).map((row) => String(row.text));
const labels = ["bad", "good"];

// Miniflare is a program for Node; what it runs is workerd whoever asks.
if (here !== "node") it("workerd", { skip: "Miniflare runs on Node" }, () => {});
else {
  describe("attune:base in workerd", () => {
    let worker: EdgeWorker;
    let host: Host;
    const adapters = new Map<string, Store>();
    const wanted = new Map<string, Result[]>();

    before(async () => {
      const plain = await hostHere(1);
      host = { ...plain, directory: (path) => adapters.get(path) ?? plain.directory?.(path) as Store };
      const specOf = (adapter: Json, rows: Json, seed: number): RunSpec =>
        ({
          version: 1,
          model: { use: "pretrained", with: { path: "attune:base" } },
          task: { use: "sequence-classification", with: { labels } },
          data: { train: { use: "memory", with: { rows } } },
          adapter: [adapter],
          training: { learningRate: 0.01, maxSteps: 4, perDeviceTrainBatchSize: 4, seed },
        }) as unknown as RunSpec;
      const rows = tinyRows.slice(0, 8) as unknown as Json;
      worker = await (await import("../worker.ts")).edgeWorker();
      for (const [i, name] of ["one", "two"].entries()) {
        const output = await memory().open(host);
        const use = { use: "lora", with: { r: 2, loraAlpha: 4 } };
        for await (const _ of trainRun(compose(specOf(use, rows, i + 1), catalog), host, { output }));
        adapters.set(name, storeWithin(output, "adapter/"));
        for await (const { key } of output.list("adapter/")) {
          await worker.put(
            `${name}/${key.slice("adapter/".length)}`,
            (await output.get(key))?.bytes ?? new Uint8Array(),
          );
        }
        const run = compose(specOf({ use: "lora", with: { from: name } }, rows, 1), catalog);
        const data = run.use("data", { use: "memory", with: { rows: texts.map((text) => ({ text })) } });
        const results: Result[] = [];
        for await (const p of predictRows(await openRun(run, { ...host, resolve: (path) => path }), data)) {
          results.push(p as unknown as Result);
        }
        wanted.set(name, results);
      }
    });
    after(() => worker.dispose());

    const same = (actual: Results, right: readonly Result[]): void => {
      assert.equal(actual.results?.length, right.length, JSON.stringify(actual));
      actual.results.forEach(({ label, scores }, i) => {
        assert.equal(label, right[i]?.label);
        for (const name of labels) {
          assert.ok(Math.abs((scores[name] ?? NaN) - (right[i]?.scores[name] ?? NaN)) <= 1e-5, `${scores[name]}`);
        }
      });
    };

    const classify = (adapter: string, input: string | readonly string[]) =>
      worker.post<Results>("/v1/classify", { model: "attune:base", adapter, input });
    it("classifies with two adapters within 128 MB", async (t) => {
      assert.equal((await fetch(`${worker.url}/healthz`)).status, 200);
      const idle = worker.peakBytes();
      for (const name of ["one", "two", "one"]) same((await classify(name, texts)).json, wanted.get(name) ?? []);
      assert.notDeepEqual(wanted.get("one"), wanted.get("two"));
      const peak = worker.peakBytes();
      if (idle === undefined || peak === undefined) return t.skip("only Linux tells the memory of another process");
      t.diagnostic(`peak over idle: ${((peak - idle) / 2 ** 20).toFixed(0)} MiB`);
      assert.ok(peak - idle <= LIMIT, `${((peak - idle) / 2 ** 20).toFixed(0)} MiB`);
    });
    it("answers many clients at once, though one of them goes away", async () => {
      const abort = new AbortController();
      const headers = { authorization: "Bearer key", "content-type": "application/json" };
      // A task of its own: whoever asks next waits for the model that this one has begun to open.
      const gone = fetch(`${worker.url}/v1/embeddings`, {
        method: "POST",
        headers,
        body: JSON.stringify({ model: "attune:base", input: texts }),
        signal: abort.signal,
      }).catch(() => {});
      setTimeout(() => abort.abort(), 10);
      const waiting = worker.post<{ data: unknown[] }>("/v1/embeddings", { model: "attune:base", input: texts });
      const asked = Array.from(
        { length: 24 },
        (_, i) => ({ name: i % 2 ? "two" : "one", row: (i >> 1) % texts.length }),
      );
      const answers = await Promise.all(asked.map(({ name, row }) => classify(name, texts[row] ?? "")));
      answers.forEach(({ json }, i) => {
        const { name, row } = asked[i] as typeof asked[number];
        same(json, (wanted.get(name) ?? []).slice(row, row + 1));
      });
      assert.equal((await waiting).json.data.length, texts.length);
      await gone;
    });
    it("says that it has no classifier of its own", async () => {
      const { status, json } = await worker.post<{ error: { code: string } }>("/v1/classify", {
        model: "attune:base",
        input: texts,
      });
      assert.deepEqual([status, json.error.code], [400, "no_classifier"]);
    });
  });
}
