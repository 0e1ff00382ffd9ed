import assert from "node:assert/strict";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { trainRun } from "../../core/run/train/train.ts";
import { train } from "../../core/run/train/train_whole.ts";
import type { Host, RunSpec, TrainingEvent } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { openSaved } from "../../runtimes/serve/saved.ts";
import { folderModels, serveNode } from "../../runtimes/serve/serve.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { createApp } from "../../runtimes/serve/app.ts";
import { killableRun } from "../faults/killed_runs.ts";
import { tinyRows, tinySpec } from "../tiny.ts";

const { folder } = killableRun();
const host = await hostHere(1);
const specOf = (adapter: readonly string[], training: object = {}): RunSpec => {
  const spec = tinySpec({ training: { maxSteps: 3 } });
  const model = { use: "pretrained", with: { path: join(folder, "model") } };
  return { ...spec, model, adapter, training: { ...spec.training as object, ...training } } as unknown as RunSpec;
};

describe("one call", () => {
  it("trains to the end, and what it made is opened by another", async () => {
    const output = join(mkdtempSync(join(tmpdir(), "attune-saved-")), "out");
    const events: TrainingEvent[] = [];
    const ended = await train(compose(specOf(["lora"]), catalog), host, {
      output,
      onEvent: (e) => void events.push(e),
    });
    assert.deepEqual([ended.reason, ended.step], ["done", 3]);
    assert.equal(events.filter((e) => e.type === "step").length, 3);
    const saved = await openSaved(output, host);
    assert.deepEqual(await saved.evaluate(), ended.metrics);
    assert.deepEqual(await saved.evaluate(tinyRows), ended.metrics);
    const predictions = await saved.predict(tinyRows.slice(0, 3));
    assert.equal(predictions.length, 3);
    assert.ok(predictions.every(({ label }) => label === "good" || label === "bad"));
    const merged = join(output, "merged");
    const { files, difference = NaN } = await saved.export("hf", merged, { merge: true, verify: true });
    assert.ok(files.includes("config.json") && existsSync(join(merged, "config.json")));
    assert.ok(difference < 1e-4, String(difference));
    await assert.rejects(saved.export("hf", join(output, "b")), { code: "USAGE" });
    await assert.rejects(saved.export("gguf", join(output, "b")), { code: "UNSUPPORTED" });
    await assert.rejects(openSaved(join(output, "none"), host), /does not exist/);
  });

  it("opens its sessions once, whatever is asked of it, and again behind close", async () => {
    const output = join(mkdtempSync(join(tmpdir(), "attune-saved-")), "out");
    await train(compose(specOf(["lora"]), catalog), host, { output, onEvent: () => {} });
    let opened = 0;
    const lib = host.lib as NonNullable<Host["lib"]>;
    const create: typeof lib.InferenceSession.create = (...args) => (opened++, lib.InferenceSession.create(...args));
    const counted = { ...host, lib: { ...lib, Tensor: lib.Tensor, InferenceSession: { create } } };
    const saved = await openSaved(output, counted);
    const predictions = await saved.predict(tinyRows);
    assert.equal(opened, 1);
    assert.deepEqual(await saved.predict(tinyRows), predictions);
    await saved.evaluate();
    await saved.evaluate();
    // One with labels, one without.
    assert.equal(opened, 2);
    await saved.close();
    assert.deepEqual(await saved.predict(tinyRows), predictions);
    assert.equal(opened, 3);
    await saved.close();
  });

  it("ends with an error where the run diverges", async () => {
    const training = { learningRate: 1e30, maxGradNorm: 0, maxSteps: 9 };
    await assert.rejects(train(compose(specOf([], training), catalog), host), { name: "AttuneError" });
  });

  it("of the stream of events that nobody reads is told, and of one that is read is not", async () => {
    const said: string[] = [];
    const terminal = { write: (text: string) => void said.push(text), isTerminal: false, columns: 80 };
    let over = (): void => {};
    const watched: Host = {
      ...host,
      terminal,
      clock: {
        ...host.clock,
        sleep: (ms, signal) => (ms < 1000 ? host.clock.sleep(ms, signal) : new Promise((resolve) => (over = resolve))),
      },
    };
    const timeIsOver = async (): Promise<void> => {
      over();
      await host.clock.sleep(0);
    };
    const run = compose({ ...specOf([]), loggers: [] }, catalog);
    trainRun(run, watched, {});
    await timeIsOver();
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /Nothing is trained, because nothing reads .*await train\(/);
    for await (const _ of trainRun(run, watched, {}));
    await timeIsOver();
    assert.equal(said.length, 1);
  });
});

it("a server of one's own has the models of a folder", async () => {
  const app = createApp({
    catalog,
    host,
    keys: [{ key: "k", tenant: "me", scopes: ["models"] }],
    models: folderModels(folder, host),
  });
  const { port, close } = await serveNode(app.fetch, { port: 0, hostname: "127.0.0.1" });
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/models`, { headers: { authorization: "Bearer k" } });
    assert.deepEqual((await answer.json()).data.map(({ id }: { id: string }) => id), ["model", "attune:base"]);
  } finally {
    await close();
  }
});
