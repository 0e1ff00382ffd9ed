/** Models as Hugging Face wants them: numbers of config.json keep their kind. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { describeTrainedModel } from "../../../core/run/write/export.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hf } from "../../../plugins/exporters/hf.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyConfig, tinyHost, tinySpec } from "../../tiny.ts";

it("writes a number with a point where the checkpoint's config has one", async () => {
  const source = JSON.stringify({ ...tinyConfig, own: 3 }).replace("{", '{"initializer_factor":1.0,"other":2e2,');
  const host = tinyHost(await hostHere(1), { "config.json": new TextEncoder().encode(source) });
  const spec = tinySpec({ config: { hidden_dropout_prob: 0.1 } }) as unknown as RunSpec;
  const to = await memory().open(host);
  await hf().write(await describeTrainedModel(await openRun(compose(spec, catalog), host)), to);
  const written = new TextDecoder().decode((await to.get("config.json"))?.bytes);
  assert.match(written, /"initializer_factor": 1\.0,\n/);
  assert.match(written, /"other": 200\.0,\n/);
  assert.match(written, /"own": 3,\n/);
  assert.match(written, /"num_hidden_layers": 2,\n/);
  assert.equal(JSON.parse(written).hidden_dropout_prob, 0.1);
});

it("writes a card of a model, with the figures of its run, where an adapter is folded in", async () => {
  const host = tinyHost(await hostHere(1));
  const spec = tinySpec({ adapter: [{ use: "lora", with: { r: 2 } }] }) as unknown as RunSpec;
  const to = await memory().open(host);
  const trained = await describeTrainedModel(await openRun(compose(spec, catalog), host), {
    metrics: { accuracy: 0.875 },
  });
  await hf({ merge: true }).write(trained, to);
  const card = new TextDecoder().decode((await to.get("README.md"))?.bytes);
  assert.match(card, /^library_name: transformers$/m);
  assert.match(card, /A model fine-tuned from .*, lora folded in/);
  assert.match(card, /\| accuracy \| 0\.875 \|/);
  assert.doesNotMatch(card, /an adapter/i);
  assert.match(trained.card, /^library_name: peft$/m);
});
