import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { runRunner } from "../../runtimes/runner/runner.ts";
import { storeChecks } from "../../conformance/mod.ts";
import { itPasses } from "../checks.ts";
import { flare } from "../flare.ts";
import { here } from "../faults/killed_runs.ts";
import { tinyFiles, tinyRows } from "../tiny.ts";

// Miniflare is a program for Node; what it runs is workerd whoever asks.
if (here !== "node") it("workerd", { skip: "Miniflare runs on Node" }, () => {});
else {
  const { url, fresh, dispose } = await flare();
  after(dispose);
  describe("jobs in workerd", () => {
    it("are uploaded, trained by a runner and fetched", async () => {
      const store = await fresh();
      for (const [name, bytes] of Object.entries(tinyFiles())) await store.put(`models/tiny/${name}`, bytes);
      const authorization = "Bearer key";
      const form = new FormData();
      form.set("purpose", "fine-tune");
      form.set("file", new Blob([tinyRows.map((row) => JSON.stringify(row)).join("\n")]), "rows.jsonl");
      const sent = await fetch(`${url}/v1/files`, { method: "POST", body: form, headers: { authorization } });
      const file = await sent.json();
      assert.equal(sent.status, 200, JSON.stringify(file));
      const body = JSON.stringify({
        model: "tiny",
        training_file: file.id,
        attune: {
          task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
          training: { maxSteps: 6, saveSteps: 3 },
        },
      });
      const headers = { authorization, "content-type": "application/json" };
      const created = await fetch(`${url}/v1/fine_tuning/jobs`, { method: "POST", body, headers });
      const job = await created.json();
      assert.equal(created.status, 200, JSON.stringify(job));
      const abort = new AbortController();
      const lines: string[] = [];
      const work = mkdtempSync(join(tmpdir(), "attune-cf-"));
      const options = { server: url, token: "runner-token", work, threads: 1, jobs: 1, signal: abort.signal };
      setTimeout(() => abort.abort(), 120_000).unref();
      await runRunner({ ...options, name: "r", report: (text) => void lines.push(text) });
      const ended = await (await fetch(`${url}/v1/fine_tuning/jobs/${job.id}`, { headers })).json();
      assert.equal(ended.status, "succeeded", `${JSON.stringify(ended)}\n${lines.join("\n")}`);
      assert.equal(ended.attune.estimate.tokens, ended.trained_tokens, "it was planned in workerd");
      const names: string[] = [];
      for (const id of ended.result_files) {
        names.push((await (await fetch(`${url}/v1/files/${id}`, { headers })).json()).filename);
      }
      assert.ok(names.includes("adapter/adapter_model.safetensors"), names.join());
    });
  });
  itPasses("store cloudflare (D1 and R2)", storeChecks(fresh));
  describe("a store on D1 and R2", () => {
    it("keeps large values in R2, in ranges, and forgets them", async () => {
      const store = await fresh();
      const bytes = Uint8Array.from({ length: 500_000 }, (_, i) => i % 251);
      await store.put("large", bytes);
      const part = await store.get("large", { offset: 400_000, length: 3 });
      assert.deepEqual([part?.size, part?.bytes], [500_000, bytes.slice(400_000, 400_003)]);
      assert.deepEqual((await store.get("large"))?.bytes, bytes);
      const larger = Uint8Array.from({ length: 5_000_000 }, (_, i) => (i >> 3) % 251);
      await store.put("larger", larger);
      const seam = await store.get("larger", { offset: 2 ** 22 - 3, length: 6 });
      assert.deepEqual([seam?.size, seam?.bytes], [5_000_000, larger.slice(2 ** 22 - 3, 2 ** 22 + 3)]);
      await store.delete("larger");
      await store.delete("large");
      assert.equal(await store.get("large"), undefined);
    });
  });
}
