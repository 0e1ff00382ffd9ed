import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import OpenAI, { toFile } from "openai";
import { writeSafetensors } from "../../core/files/safetensors.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Json, Named } from "../../core/types.ts";
import { createApp, keysOf } from "../../runtimes/serve/app.ts";
import { folderModels } from "../../runtimes/serve/folder_models.ts";
import { openJobs } from "../../runtimes/jobs/jobs_server.ts";
import { listen } from "../../runtimes/host/listen.ts";
import { runRunner } from "../../runtimes/runner/runner.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyFiles, tinyRows } from "../tiny.ts";
import { until } from "../until.ts";
import { collect } from "../../core/base/collect.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-jobs-"));
mkdirSync(join(folder, "models", "tiny"), { recursive: true });
for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(folder, "models", "tiny", name), bytes);

const host = await hostHere(1);
const keys = keysOf({ api: "key", runner: "runner-token" });
const models = folderModels(join(folder, "models"), host);
const server = await openJobs({
  host,
  store: join(folder, "store"),
  models,
  leaseSeconds: 15,
  heartbeatSeconds: 0.5,
  maxFileBytes: 100_000,
});
const { port, close } = await listen(
  createApp({ catalog: {}, keys, models, jobs: server }).fetch,
  { port: 0, hostname: "127.0.0.1" },
);
const url = `http://127.0.0.1:${port}`;
const stop = server.start();
const abort = new AbortController();
after(async () => {
  abort.abort();
  stop();
  await close();
});
const client = new OpenAI({ apiKey: "key", adminAPIKey: "key", baseURL: `${url}/v1`, maxRetries: 0 });
const lines = tinyRows.map((row) => JSON.stringify(row)).join("\n");
const attune = (training: Named<Json> = {}): Named<Json> => ({
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  adapter: { use: "lora", with: { r: 2, targetModules: ["query", "value"] } },
  training: { perDeviceTrainBatchSize: 4, ...training },
});
type Create = OpenAI.FineTuning.JobCreateParams;
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}${path}`, { headers: { authorization: "Bearer key", ...headers } });
/** What the first job has made. */
let jobId = "";
const runner = (jobs: number) =>
  runRunner({
    server: url,
    token: "runner-token",
    work: join(folder, "work"),
    name: "test-runner",
    threads: 1,
    jobs,
    signal: abort.signal,
  });

describe("the unmodified openai client", () => {
  it("uploads, trains, follows and gets the adapter", async () => {
    const file = await client.files.create({
      file: await toFile(new TextEncoder().encode(lines), "rows.jsonl"),
      purpose: "fine-tune",
    });
    assert.deepEqual([file.object, file.bytes, file.status], ["file", lines.length, "processed"]);
    const body = {
      model: "tiny",
      training_file: file.id,
      validation_file: file.id,
      suffix: "reviews",
      seed: 7,
      metadata: { team: "a" },
      method: { type: "supervised", supervised: { hyperparameters: { n_epochs: 2, learning_rate_multiplier: 10 } } },
      attune: attune({ learningRate: 0.001, saveSteps: 4 }),
    } as Create;
    const once = { headers: { "Idempotency-Key": "once" } };
    const job = await client.fineTuning.jobs.create(body, once);
    const again = await client.fineTuning.jobs.create(body, once);
    assert.equal(again.id, job.id);
    assert.deepEqual([job.object, job.model, job.seed, job.metadata], ["fine_tuning.job", "tiny", 7, { team: "a" }]);
    const done = runner(1);
    const ended = await until("the end", async () => {
      const now = await client.fineTuning.jobs.retrieve(job.id);
      return ["succeeded", "failed"].includes(now.status) ? now : undefined;
    });
    assert.deepEqual([ended.status, ended.error], ["succeeded", null]);
    await done;
    assert.match(ended.fine_tuned_model ?? "", /^ft:tiny:attune:reviews:/);
    assert.ok((ended.trained_tokens ?? 0) > 100);
    const estimate = (ended as unknown as { attune: { estimate: Named<number> } }).attune.estimate;
    assert.equal(estimate.tokens, ended.trained_tokens, "what was estimated was trained");

    const events = await collect(client.fineTuning.jobs.listEvents(job.id, { limit: 5 }));
    const metrics = events.filter((e) => e.type === "metrics" && "train_loss" in (e.data as object)).toReversed();
    assert.deepEqual(
      metrics.map((e) => (e.data as { step: number }).step),
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    assert.equal(events[0]?.message, "The job has successfully completed");
    assert.match(events.at(-1)?.message ?? "", /^Created fine-tuning job/);
    const checkpoints = await client.fineTuning.jobs.checkpoints.list(job.id);
    // A run that is faster than its uploads sends the newest.
    assert.equal(checkpoints.data[0]?.step_number, 12);
    assert.ok(checkpoints.data.every((c) => [4, 8, 12].includes(c.step_number)));
    const listed: string[] = [];
    for await (const one of client.fineTuning.jobs.list({ metadata: { team: "a" } })) listed.push(one.id);
    assert.deepEqual(listed, [job.id]);

    const names = new Map<string, string>();
    for (const id of ended.result_files) names.set((await client.files.retrieve(id)).filename, id);
    for (
      const name of ["adapter/adapter_config.json", "adapter/adapter_model.safetensors", "metrics.json", "log.jsonl"]
    ) {
      assert.ok(names.has(name), `${name} in ${[...names.keys()]}`);
    }
    mkdirSync(join(folder, "adapter"), { recursive: true });
    for (const [name, id] of names) {
      if (!name.startsWith("adapter/")) continue;
      writeFileSync(join(folder, name), new Uint8Array(await (await client.files.content(id)).arrayBuffer()));
    }
    assert.ok(existsSync(join(folder, "adapter", "adapter_model.safetensors")));
    const config = JSON.parse(readFileSync(join(folder, "adapter", "adapter_config.json"), "utf8"));
    assert.equal(config.base_model_name_or_path, "tiny", "no path of the runner's");
    jobId = ended.fine_tuned_model ?? "";

    // Live events: everything from the start, then only what a client has not seen.
    const streamed = await (await get(`/v1/fine_tuning/jobs/${job.id}/events`, { accept: "text/event-stream" })).text();
    const ids = [...streamed.matchAll(/^id: (.+)$/gm)].map((m) => m[1] ?? "");
    assert.deepEqual(ids, events.map((e) => e.id).toReversed());
    const from = { accept: "text/event-stream", "last-event-id": ids.at(-3) ?? "" };
    const rest = await (await get(`/v1/fine_tuning/jobs/${job.id}/events`, from)).text();
    assert.deepEqual([...rest.matchAll(/^id: (.+)$/gm)].map((m) => m[1]), ids.slice(-2));
    assert.match(rest, /event: done/);
  });

  const python = process.env.HF_PYTHON;
  const noPython = python === undefined && "HF_PYTHON does not name a Python with peft";
  it("gets an adapter that PEFT loads", { skip: noPython }, async () => {
    const program = [
      "import sys",
      "from transformers import AutoModelForSequenceClassification",
      "from peft import PeftModel",
      "base = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], num_labels=2)",
      "model = PeftModel.from_pretrained(base, sys.argv[2])",
      "print(sum(float(p.abs().sum()) for n, p in model.named_parameters() if 'lora_B' in n) > 0)",
    ].join("\n");
    const args = ["-c", program, join(folder, "models", "tiny"), join(folder, "adapter")];
    const { stdout } = await promisify(execFile)(python ?? "", args);
    assert.equal(stdout.trim().split("\n").at(-1), "True");
  });

  it("goes on from what a job has made, over that job's base", async () => {
    const file = await client.files.create({
      file: await toFile(new TextEncoder().encode(lines), "rows.jsonl"),
      purpose: "fine-tune",
    });
    const own = attune({ maxSteps: 2, learningRate: 1e-6 });
    const create = (more: Named<Json>) =>
      client.fineTuning.jobs.create({ model: jobId, training_file: file.id, attune: { ...own, ...more } } as Create);
    await assert.rejects(create({ adapter: { use: "ia3" } }), /is an adapter of lora/);
    const job = await create({ adapter: "lora" });
    const done = runner(1);
    const ended = await until("the end", async () => {
      const now = await client.fineTuning.jobs.retrieve(job.id);
      return ["succeeded", "failed"].includes(now.status) ? now : undefined;
    });
    await done;
    assert.equal(ended.status, "succeeded", JSON.stringify(ended.error));
    const ids = new Map<string, string>();
    for (const id of ended.result_files) ids.set((await client.files.retrieve(id)).filename, id);
    const config = await client.files.content(ids.get("adapter/adapter_config.json") ?? "");
    assert.equal((await config.json() as Named<Json>).base_model_name_or_path, "tiny");
  });

  it("says any part of a run spec: other rows, the model's config, an adapter that a job has made", async () => {
    const file = await client.files.create({
      file: await toFile(new TextEncoder().encode(lines), "rows.jsonl"),
      purpose: "fine-tune",
    });
    const rows = { use: "jsonl", with: { path: file.id } };
    const from = (name: string): Named<Json> => ({
      model: { use: "pretrained", with: { config: { hidden_dropout_prob: 0 } } },
      task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
      data: { train: { use: "take", with: { source: rows, limit: 4 } } },
      adapter: { use: "lora", with: { from: name } },
      loggers: ["csv"],
      training: { perDeviceTrainBatchSize: 4, maxSteps: 2 },
    });
    const create = (name: string) =>
      client.fineTuning.jobs.create({ model: "tiny", training_file: file.id, attune: from(name) } as Create);
    await assert.rejects(create(`${jobId}0`), /attune\.adapter\.with\.from: "ft:.*0" is not one of/);
    const job = await create(jobId);
    const done = runner(1);
    const ended = await until("the end", async () => {
      const now = await client.fineTuning.jobs.retrieve(job.id);
      return ["succeeded", "failed"].includes(now.status) ? now : undefined;
    });
    assert.equal(ended.status, "succeeded", JSON.stringify(ended.error));
    await done;
    const names: string[] = [];
    for (const id of ended.result_files) names.push((await client.files.retrieve(id)).filename);
    assert.ok(names.includes("log.csv") && names.includes("adapter/adapter_model.safetensors"), names.join());
    const { estimate } = (ended as unknown as { attune: { estimate: Named<number> } }).attune;
    assert.deepEqual([estimate.steps, estimate.tokens], [2, ended.trained_tokens]);
  });

  it("pauses, resumes and cancels a job that runs", async () => {
    const file = await client.files.create({
      file: await toFile(new TextEncoder().encode(lines), "rows.jsonl"),
      purpose: "fine-tune",
    });
    const job = await client.fineTuning.jobs.create({
      model: "tiny",
      training_file: file.id,
      attune: attune({ maxSteps: 100_000, saveSteps: 50_000 }),
    } as Create);
    const done = runner(2);
    const step = async (): Promise<number> =>
      (await (await get(`/v1/fine_tuning/jobs/${job.id}/events?limit=1`)).json()).data[0]?.data?.step ?? 0;
    const status = async (): Promise<string> => (await client.fineTuning.jobs.retrieve(job.id)).status;
    await until("step 5", async () => await step() > 5);
    await client.fineTuning.jobs.pause(job.id);
    await until("the pause", async () => await status() === "paused");
    const [checkpoint] = (await client.fineTuning.jobs.checkpoints.list(job.id)).data;
    assert.ok((checkpoint?.step_number ?? 0) > 5);
    await client.fineTuning.jobs.resume(job.id);
    await until("the next step", async () => await step() > (checkpoint?.step_number ?? 0) + 2);
    await client.fineTuning.jobs.cancel(job.id);
    await until("the end", async () => await status() === "cancelled");
    await done;
    const events: number[] = [];
    for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 1000 })) {
      const data = event.data as { step?: number; train_loss?: number } | null;
      if (data?.train_loss !== undefined) events.unshift(data.step ?? 0);
    }
    assert.deepEqual(events, events.map((_, i) => i + 1), "each step once, in order, over the pause");
  });

  it("gives a job only to a runner that may load its plugins and has the memory", async () => {
    const file = await client.files.create({
      file: await toFile(new TextEncoder().encode(lines), "rows.jsonl"),
      purpose: "fine-tune",
    });
    const job = await client.fineTuning.jobs.create(
      { model: "tiny", training_file: file.id, attune: attune() } as Create,
    );
    await until("the queue", async () => (await client.fineTuning.jobs.retrieve(job.id)).status === "queued");
    const record = await server.jobs.get(job.id);
    const plugins = record?.needs.plugins ?? [];
    for (const name of ["lora", "adamw", "sequence-classification", "cross-entropy"]) {
      assert.ok(plugins.includes(name), name);
    }
    const lease = (capabilities: Named<Json>, waitSeconds = 0): Promise<Response> =>
      fetch(`${url}/v1/runners/lease`, {
        method: "POST",
        headers: { authorization: "Bearer runner-token", "content-type": "application/json" },
        body: JSON.stringify({
          runner: "x",
          waitSeconds,
          capabilities: { providers: ["cpu"], memoryBytes: 2 ** 34, ...capabilities },
        }),
      });
    assert.equal((await lease({ plugins: plugins.filter((name) => name !== "lora") })).status, 204);
    assert.equal((await lease({ memoryBytes: 1000 })).status, 204);
    // A job is queued a moment before runners are told of it.
    const given = await lease({ plugins }, 10);
    const leased = await given.json();
    assert.deepEqual([given.status, leased.id], [200, job.id]);

    // What it sends may not hold NaN, and an old token may send nothing.
    const say = (what: string, body: BodyInit, method = "POST"): Promise<Response> =>
      fetch(`${url}/v1/runners/jobs/${job.id}/${what}`, {
        method,
        body,
        headers: { authorization: "Bearer runner-token", "content-type": "application/json" },
      });
    const adapter = writeSafetensors({ w: f32([2], [1, NaN]) }) as Uint8Array<ArrayBuffer>;
    const path = "adapter/adapter_model.safetensors";
    assert.equal((await say(`files/${path}?token=${leased.token}0`, adapter, "PUT")).status, 409);
    assert.equal((await say(`files/${path}?token=0`, adapter, "PUT")).status, 409);
    assert.equal((await say(`files/${path}?token=${leased.token}`, adapter, "PUT")).status, 200);
    assert.ok((await say(`files/..%2F..%2Frecord.json?token=${leased.token}`, adapter, "PUT")).status >= 400);
    const commit = (bytes: number): Promise<Response> =>
      say("commit", JSON.stringify({ token: leased.token, files: [{ path, bytes }], metrics: {} }));
    assert.match(await (await commit(adapter.length + 1)).text(), /bytes here/);
    assert.match(await (await commit(adapter.length)).text(), /tensor \\"w\\" that is not finite/);
    const ended = await client.fineTuning.jobs.retrieve(job.id);
    assert.deepEqual([ended.status, ended.error?.code, ended.result_files], ["failed", "non_finite", []]);
  });

  it("is told what is wrong, and where", async () => {
    const upload = async (text: string): Promise<OpenAI.FileObject> =>
      await client.files.create({
        file: await toFile(new TextEncoder().encode(text), "rows.jsonl"),
        purpose: "fine-tune",
      });
    const rejected = (work: Promise<unknown>, status: number, pattern: RegExp): Promise<void> =>
      assert.rejects(work, (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.equal(error.status, status, String(error));
        assert.match(error.message, pattern);
        return true;
      });
    await rejected(upload('{"text":"a"}\n{"text"'), 400, /line 2.*not JSON/);
    await rejected(upload("x".repeat(200_000)), 413, /100000 bytes/);
    const file = await upload(lines);
    const create = (change: Named<unknown>): Promise<unknown> =>
      client.fineTuning.jobs.create({ model: "tiny", training_file: file.id, attune: attune(), ...change } as Create);
    await rejected(create({ model: "gpt-9" }), 400, /"gpt-9" is not one of tiny, attune:base/);
    await rejected(create({ training_file: "file-none" }), 400, /no file file-none/);
    await rejected(create({ method: { type: "dpo" } }), 400, /method.*only supervised/);
    await rejected(create({ attune: { model: { use: "pretrained", with: { path: "/etc" } } } }), 400, /attune\.model/);
    await rejected(
      create({ attune: { adapter: { use: "lora", with: { from: "/etc" } } } }),
      400,
      /attune\.adapter\.with\.from/,
    );
    await rejected(create({ colour: "red" }), 400, /colour/);
    await rejected(client.fineTuning.jobs.retrieve("ftjob-none"), 404, /No such fine-tuning job/);
    await rejected(new OpenAI({ apiKey: "x", baseURL: `${url}/v1`, maxRetries: 0 }).files.list(), 401, /invalid/);
    assert.equal(
      (await fetch(`${url}/v1/runners/lease`, { method: "POST", headers: { authorization: "Bearer key" } })).status,
      403,
    );
    // Rows that are JSON but not the task's are found before the job is queued.
    const wrong = await upload('{"text":"good film","label":"good"}\n\n{"text":"good film","label":"god"}');
    for (
      const [param, files] of [
        ["training_file", { training_file: wrong.id }],
        ["validation_file", { training_file: file.id, validation_file: wrong.id }],
      ] as const
    ) {
      const body: unknown = { model: "tiny", ...files, attune: attune() };
      const job = await client.fineTuning.jobs.create(body as Create);
      const ended = await until("the refusal", async () => {
        const now = await client.fineTuning.jobs.retrieve(job.id);
        return now.status === "failed" ? now : undefined;
      });
      assert.deepEqual([ended.error?.param, ended.error?.code], [param, `invalid_${param}`]);
      assert.match(ended.error?.message ?? "", new RegExp(`^${wrong.id}, line 3:.*"god", did you mean "good"`));
    }
    // Every error of a spec at once, before anything is made.
    const spec = { ...attune({ learningRat: 1 }), optimizer: "adamm" };
    await rejected(create({ attune: spec }), 400, /2 errors[^]*adamm[^]*learningRat/);
    // Lists go from page to page in either order, results among them.
    const ids = async (order: "asc" | "desc", purpose?: string): Promise<string[]> => {
      const events: string[] = [];
      const query = { limit: 2, order, ...(purpose === undefined ? {} : { purpose }) };
      for await (const { id } of client.files.list(query)) events.push(id);
      return events;
    };
    const all = await ids("desc");
    assert.deepEqual(await ids("asc"), all.toReversed());
    const results = await ids("desc", "fine-tune-results");
    assert.ok(results.length > 4 && all.includes(file.id) && results.every((id) => all.includes(id)));
    const once = { headers: { "Idempotency-Key": "one file" } };
    const sent = async (text: string): Promise<string> => {
      const form = { file: await toFile(new TextEncoder().encode(text), "rows.jsonl"), purpose: "fine-tune" } as const;
      return (await client.files.create(form, once)).id;
    };
    assert.equal(await sent(lines), await sent(lines));
    await rejected(sent(`${lines}\n`), 409, /another request/);
    const keptFor = async (seconds: number) =>
      await client.files.create({
        file: await toFile(new TextEncoder().encode(lines), "rows.jsonl"),
        purpose: "fine-tune",
        expires_after: { anchor: "created_at", seconds },
      });
    const keptFile = await keptFor(3600);
    assert.equal(keptFile.expires_at, keptFile.created_at + 3600);
    for (const seconds of [3599, 2_592_001, 3600.5]) await rejected(keptFor(seconds), 400, /expires_after\[seconds\]/);
    // A page behind what is not in the list is none: an empty one would look like the list's end.
    for await (const { id } of client.fineTuning.jobs.list()) {
      const after = { after: "ftevent-none-1" };
      await rejected(client.fineTuning.jobs.listEvents(id, after).then(String), 400, /after: there is no event/);
      await rejected(
        client.fineTuning.jobs.listEvents(id, { after: `ftevent-${id.slice(6)}-9999` }).then(String),
        400,
        /after/,
      );
      await rejected(
        client.fineTuning.jobs.checkpoints.list(id, after).then(String),
        400,
        /after: there is no checkpoint/,
      );
      break;
    }
    await rejected(client.fineTuning.jobs.list({ after: "ftjob-none" }).then(String), 400, /after: there is no job/);
    await rejected(client.files.list({ after: "file-none" }).then(String), 400, /after: there is no file/);
    const shared = client.fineTuning.checkpoints.permissions;
    await rejected(shared.create("ft:x:ckpt-step-1", { project_ids: ["p"] }), 400, /cannot be shared/);
    await client.files.delete(file.id);
    await rejected(client.files.content(file.id), 404, /No such File/);
    // What a job has made is one of the models, until its user deletes it; the server's own are not theirs to delete.
    const model = await client.models.retrieve(jobId);
    assert.deepEqual([model.id, model.object, model.owned_by], [jobId, "model", "attune"]);
    assert.deepEqual(await client.models.delete(jobId), { id: jobId, object: "model", deleted: true });
    await rejected(client.models.retrieve(jobId), 404, /does not exist/);
    await rejected(client.models.delete(jobId), 404, /does not exist/);
    await rejected(client.models.delete("tiny"), 403, /belongs to the server/);
    await rejected(
      create({ attune: { ...attune(), adapter: { use: "lora", with: { from: jobId } } } }),
      400,
      /is not one of/,
    );
    assert.ok(
      !(await ids("desc", "fine-tune-results")).some((id) => id.includes(jobId.split(":").at(-1) ?? "-")),
      "its files went, too",
    );
  });
});
