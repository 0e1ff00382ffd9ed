import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json, Named } from "../../core/types.ts";
import { type JobRequest, specOf } from "../../runtimes/edge/job_request.ts";

const request = (more: Named<Json> = {}): JobRequest => ({ model: "tiny", training_file: "file-a", ...more });
const chat = { messages: [{ role: "user", content: "hi" }] };

describe("a fine-tuning request as a run spec", () => {
  it("over conversations what the assistant says is learned, unless the job says otherwise", () => {
    assert.deepEqual(specOf(request(), { row: chat }).task, { use: "causal-lm", with: { lossOn: "assistant" } });
    assert.equal(specOf(request(), { row: { prompt: "a", completion: "b" } }).task, "causal-lm");
    assert.equal(specOf(request()).task, "causal-lm");
    const all = { use: "causal-lm", with: { lossOn: "all" } };
    assert.deepEqual(specOf(request({ attune: { task: all } }), { row: chat }).task, all);
  });
  it("on what a job has made the adapter goes on, over its base", () => {
    const model = "ft:tiny:attune::1";
    const start = { adapter: { use: "lora", base: "tiny" } };
    const spec = specOf(request({ model }), start);
    assert.deepEqual(spec.model, { use: "pretrained", with: { path: "tiny" } });
    assert.deepEqual(spec.adapter, { use: "lora", with: { from: model } });
    const given = { adapter: { use: "lora", with: { loraDropout: 0.1 } } };
    assert.deepEqual(specOf(request({ model, attune: given }), start).adapter, {
      use: "lora",
      with: { loraDropout: 0.1, from: model },
    });
    for (const adapter of ["ia3", [], [{ use: "lora" }]]) {
      assert.throws(() => specOf(request({ model, attune: { adapter } }), start));
    }
  });
});
