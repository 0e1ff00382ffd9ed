import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { createApp } from "../../runtimes/serve/app.ts";
import { folderModels } from "../../runtimes/serve/folder_models.ts";
import { tokensOf } from "../../runtimes/serve/inference.ts";
import { defaultLimits } from "../../runtimes/serve/options.ts";
import type { Sample } from "../../core/types.ts";
import { thisRuntime } from "../../runtimes/host/host.ts";
import { openJobs } from "../../runtimes/jobs/jobs_server.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { planned } from "../../runtimes/work/plan_route.ts";
import { type WorkLimits, type WorkPool, workPool } from "../../runtimes/work/pool.ts";
import { catalog } from "../../plugins/catalog.ts";
import { until } from "../until.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-work-"));
const pools: WorkPool[] = [];
after(() => {
  for (const pool of pools) void pool.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
});

const host = await hostHere(1);
const models = folderModels(undefined, host);
const keys = [{ key: "key", tenant: "us", scopes: ["tokenize", "evaluate", "infer", "files", "jobs"] as const }];

/** An app whose heavy requests are answered by threads of their own, with limits that small requests pass. */
async function serverOf(limits: Partial<WorkLimits> = {}, steps = 2 ** 40, now?: () => number) {
  const store = mkdtempSync(join(folder, "store-"));
  const workers = workPool(
    { store, models: undefined, allowHub: false, limits: { steps, places: steps }, threads: 1 },
    // What must be answered is, however slow the machine is just now.
    { seconds: 600, ...limits },
  );
  pools.push(workers);
  const jobs = await openJobs({
    host,
    store,
    models,
    planElsewhere: (record, bytes) => planned(workers, record, bytes),
  });
  const app = createApp({
    catalog,
    keys,
    host,
    models,
    jobs,
    workers,
    limits: { steps, places: steps },
    ...(now ? { now } : {}),
  });
  const post = async (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
    await app.request(path, {
      method: "POST",
      headers: { authorization: "Bearer key", "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...init,
    });
  return { app, jobs, post, workers };
}
const codeOf = async (response: Response): Promise<string> =>
  `${response.status} ${(await response.json()).error?.code}`;

const letters = (n: number, shift: number): string =>
  Array.from({ length: n }, (_, i) => String.fromCharCode(97 + (i * i + shift) % 26)).join("");
/** Some 10¹² steps of edit distance: longer than anybody waits. */
const endless = { metrics: ["cer"], predictions: [letters(1e6, 1)], references: [letters(1e6, 5)] };
const brief = { metrics: ["cer"], predictions: [letters(300, 1)], references: [letters(300, 5)] };

describe("work of other threads", () => {
  it("has the answers of this one", async () => {
    const { post } = await serverOf();
    const here = createApp({ catalog, keys, host, models });
    const headers = { authorization: "Bearer key", "content-type": "application/json" };
    const texts = Array.from({ length: 300 }, (_, i) => `a nice film, number ${i}`);
    for (
      const [path, body] of [
        ["/v1/tokenize", { tokenizer: "attune:base", input: texts, options: { padding: true } }],
        ["/v1/evaluate", brief],
        ["/v1/embeddings", { model: "attune:base", input: "a nice film" }],
        ["/v1/evaluate", { metrics: ["accuracy"], predictions: [1], references: [1], extra: 1 }],
      ] as const
    ) {
      const [there, request] = [
        await post(path, body),
        await here.request(path, { method: "POST", headers, body: JSON.stringify(body) }),
      ];
      assert.equal(there.status, request.status);
      assert.deepEqual(await there.json(), await request.json());
    }
    const lines = Array.from({ length: 5000 }, (_, i) => `{"prediction":${i % 3},"reference":${i % 2}}`).join("\n");
    const streamed = await post("/v1/evaluate?metrics=accuracy", lines, {
      headers: { ...headers, "content-type": "application/x-ndjson" },
    });
    assert.equal((await streamed.json()).metrics.accuracy, 1668 / 5000);
    assert.equal(
      await codeOf(await post("/v1/evaluate", brief, { headers: { authorization: "Bearer x" } })),
      "401 invalid_api_key",
    );
  });

  it("is ended where it takes too long, and others are answered behind it", async () => {
    const { post } = await serverOf({ seconds: 2, computeThreads: 1 });
    const late = post("/v1/evaluate", endless);
    const behind = post("/v1/evaluate", brief);
    assert.equal(await codeOf(await late), "503 work_limit");
    assert.equal((await behind).status, 200);
  });

  it("is ended where nobody waits for it any more", async () => {
    const { post } = await serverOf({ seconds: 600, computeThreads: 1 });
    const gone = new AbortController();
    const left = post("/v1/evaluate", endless, { signal: gone.signal });
    setTimeout(() => gone.abort(), 500);
    await Promise.race([left, new Promise((done) => setTimeout(done, 10_000))]);
    assert.equal((await post("/v1/evaluate", brief)).status, 200);
  });

  it("is ended though native code computes just then, which takes the process along where it is ended in the middle", async () => {
    const text = Array.from({ length: 200 }, (_, i) => `w${i}`).join(" ");
    const task = { use: "sequence-classification", with: { labels: ["a", "b"] } };
    const rows = Array.from({ length: 2000 }, () => ({ text, label: "a" }));
    const { post } = await serverOf({ seconds: 3, computeThreads: 1 });
    const body = JSON.stringify({ model: "attune:base", task, rows });
    assert.equal(await codeOf(await post("/v1/evaluate", body)), "503 work_limit");
    for (const milliseconds of [1500, 2000, 2500]) {
      const gone = new AbortController();
      const left = post("/v1/evaluate", body, { signal: gone.signal }).catch(() => {});
      setTimeout(() => gone.abort(), milliseconds);
      await left;
      assert.equal((await post("/v1/evaluate", brief)).status, 200);
    }
  });

  it("waits in a bounded line", async () => {
    const { post } = await serverOf({ seconds: 1, computeThreads: 1, waiting: 1, waitingBytes: 8 * 2 ** 20 });
    const all = await Promise.all([1, 2, 3, 4].map(async () => await codeOf(await post("/v1/evaluate", endless))));
    assert.ok(all.includes("503 busy"), all.join());
    assert.ok(all.includes("503 work_limit"), all.join());
  });

  it(
    "is ended where it takes too much memory",
    { skip: thisRuntime() !== "node" && "only Node can be told" },
    async () => {
      const { post } = await serverOf({ memoryBytes: 96 * 2 ** 20, computeThreads: 1 });
      const input = Array.from({ length: 2000 }, () => "a");
      const body = { tokenizer: "attune:base", input, options: { padding: "max_length", maxLength: 10_000 } };
      assert.equal(await codeOf(await post("/v1/tokenize", body)), "503 work_limit");
      assert.equal((await post("/v1/evaluate", brief)).status, 200);
    },
  );

  it("plans jobs, and tells what is wrong with them", async () => {
    const { app, jobs, post } = await serverOf();
    const form = new FormData();
    form.set("purpose", "fine-tune");
    const rows = Array.from({ length: 20 }, (_, i) => `{"text":"film ${i}","label":"${i % 2 ? "good" : "bad"}"}`);
    form.set("file", new File([rows.join("\n")], "rows.jsonl"));
    const headers = { authorization: "Bearer key" };
    const file = await (await app.request("/v1/files", { method: "POST", headers, body: form })).json();
    const config = {
      model_type: "bert",
      vocab_size: 5000,
      hidden_size: 16,
      num_attention_heads: 2,
      intermediate_size: 32,
    };
    const asked = async (attune: object) => {
      const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
      const body = { model: "attune:base", training_file: file.id, attune: { task, ...attune } };
      const { id } = await (await post("/v1/fine_tuning/jobs", body)).json();
      return await until("the end of the plan", async () => {
        const record = await jobs.jobs.get(id);
        return record?.status !== "validating_files" && record;
      });
    };
    const fine = await asked({});
    assert.equal(fine?.status, "queued");
    assert.equal(fine?.estimate?.steps, 9);
    const model = {
      use: "random",
      with: { config: { ...config, num_hidden_layers: 100_000 }, tokenizer: "attune:base" },
    };
    const deep = await asked({ model });
    assert.equal(deep?.status, "failed");
    assert.match(deep?.error?.message ?? "", /num_hidden_layers: expected a whole number from 1 to 1024/);
    // One whose plans were begun too often is not begun again.
    const { record } = await jobs.jobs.create("us", {}, { ...fine?.spec }, "ftjob-often").then((r) => ({ record: r }));
    await jobs.jobs.change(record.id, (r) => ({ record: { ...r, plans: 5 } }));
    await jobs.watch();
    const { code } = await until("the refusal", async () => (await jobs.jobs.get(record.id))?.error);
    assert.equal(code, "not_planned");
  });
});

describe("bounds of what is asked for", () => {
  const app = createApp({ catalog, keys, host, models });
  const asked = async (path: string, body: unknown): Promise<string> =>
    await codeOf(
      await app.request(path, {
        method: "POST",
        headers: { authorization: "Bearer key", "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  it("are those of one text, too: attention grows with its square", () => {
    const limits = { ...defaultLimits, places: 1e9 };
    const sample = (length: number) => ({ sequences: [{ length: 5 }, { length }] }) as unknown as Sample;
    assert.equal(tokensOf([sample(8192), sample(10)], limits), 8212);
    assert.throws(() => tokensOf([sample(10), sample(8193)], limits), {
      code: "TOO_MUCH",
      message: /at most 8192 tokens of one text, found 8193/,
    });
  });
  it("are sums over the request: places, steps, labels", async () => {
    const input = Array.from({ length: 2048 }, () => "a");
    const padded = { tokenizer: "attune:base", input, options: { padding: "max_length", maxLength: 131072 } };
    assert.equal(await asked("/v1/tokenize", padded), "400 too_much");
    const longest = [...input, "a ".repeat(2000)];
    assert.equal(
      await asked("/v1/tokenize", { tokenizer: "attune:base", input: longest.slice(1), options: { padding: true } }),
      "400 too_much",
    );
    const windows = { maxLength: 100, stride: 97, truncation: true, returnOverflowingTokens: true };
    assert.equal(
      await asked("/v1/tokenize", { tokenizer: "attune:base", input: "a ".repeat(50_000), options: windows }),
      "400 too_much",
    );
    for (const metric of ["cer", "wer", "rouge", "ter"]) {
      assert.equal(await asked("/v1/evaluate", { ...endless, metrics: [metric] }), "400 too_much", metric);
    }
    const numbers = Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 10007);
    const drawn = { metrics: ["mse"], predictions: numbers, references: numbers, intervals: { samples: 10_000 } };
    assert.equal(await asked("/v1/evaluate", drawn), "400 too_much");
    const task = { use: "sequence-classification", with: { numLabels: 1e9 } };
    const rows = [{ text: "a", label: 0 }];
    assert.equal(await asked("/v1/evaluate", { model: "attune:base", task, rows }), "400 bad_spec");
  });
});
