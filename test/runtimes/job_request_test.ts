import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json, Named } from "../../core/types.ts";
import { type JobRequest, toJobSpec } from "../../runtimes/jobs/job_request.ts";

const request = (more: Named<Json> = {}): JobRequest => ({ model: "tiny", training_file: "file-a", ...more });
const chat = { messages: [{ role: "user", content: "hi" }] };

describe("a fine-tuning request as a run spec", () => {
  it("over conversations what the assistant says is learned, unless the job says otherwise", () => {
    assert.deepEqual(toJobSpec(request(), { row: chat }).task, { use: "causal-lm", with: { lossOn: "assistant" } });
    assert.equal(toJobSpec(request(), { row: { prompt: "a", completion: "b" } }).task, "causal-lm");
    assert.equal(toJobSpec(request()).task, "causal-lm");
    const all = { use: "causal-lm", with: { lossOn: "all" } };
    assert.deepEqual(toJobSpec(request({ attune: { task: all } }), { row: chat }).task, all);
  });
  it("test rows that the job names stand beside the request's files", () => {
    const rows = (path: string): Json => ({ use: "jsonl", with: { path } });
    const attune = { data: { test: rows("file-c") } };
    assert.deepEqual(toJobSpec(request({ validation_file: "file-b", attune })).data, {
      train: rows("file-a"),
      eval: rows("file-b"),
      test: rows("file-c"),
    });
  });
  it("files go through the transforms that the job names, and none is passed over", () => {
    const rows = (path: string): Json => ({ use: "jsonl", with: { path } });
    const files = { validation_file: "file-b" };
    const dataOf = (data: Json): Json | undefined => toJobSpec(request({ ...files, attune: { data } })).data;
    const train = { transforms: ["clean", "dedupe"] };
    const cleaned = { use: "jsonl", with: { path: "file-a" }, ...train };
    assert.deepEqual(dataOf({ train, leakThreshold: 1 }), { train: cleaned, eval: rows("file-b"), leakThreshold: 1 });
    assert.deepEqual(dataOf({ train: cleaned }), { train: cleaned, eval: rows("file-b") });
    assert.deepEqual(dataOf({ eval: { transforms: ["clean"] } }), {
      train: rows("file-a"),
      eval: { use: "jsonl", with: { path: "file-b" }, transforms: ["clean"] },
    });
    // A file that the job's own data would pass over.
    for (const split of ["train", "eval"]) assert.throws(() => dataOf({ [split]: rows("file-c") }));
  });
  it("on what a job has made the adapter goes on, over its base", () => {
    const model = "ft:tiny:attune::1";
    const start = { adapter: { use: "lora", base: "tiny" } };
    const spec = toJobSpec(request({ model }), start);
    assert.deepEqual(spec.model, { use: "pretrained", with: { path: "tiny" } });
    assert.deepEqual(spec.adapter, { use: "lora", with: { from: model } });
    const given = { adapter: { use: "lora", with: { loraDropout: 0.1 } } };
    assert.deepEqual(toJobSpec(request({ model, attune: given }), start).adapter, {
      use: "lora",
      with: { loraDropout: 0.1, from: model },
    });
    for (const adapter of ["ia3", [], [{ use: "lora" }]]) {
      assert.throws(() => toJobSpec(request({ model, attune: { adapter } }), start));
    }
  });
});
