/** What quantizing costs, measured before step one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Json, Named, Ort, OrtTensor, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";

const host = tinyHost(await hostHere(1));
const store = (): Promise<Store> => memory().open(host);

async function run(
  accelerators: readonly Json[],
  output?: Store,
  options: Readonly<{ resume?: boolean; signal?: AbortSignal; change?: Named<Json>; onStep?: () => void; on?: Host }> =
    {},
): Promise<TrainingEvent[]> {
  const { change, onStep, on = host, ...rest } = options;
  const spec = {
    loggers: ["jsonl", "report"],
    ...tinySpec({ adapter: "lora", training: { maxSteps: 4, evalStrategy: "steps", evalSteps: 4 } }),
    accelerators,
    ...change,
  };
  const events: TrainingEvent[] = [];
  const made = compose(spec as unknown as RunSpec, catalog);
  for await (const event of trainRun(made, on, { ...(output ? { output } : {}), ...rest })) {
    events.push(event);
    if (event.type === "step") onStep?.();
  }
  return events;
}

const text = async (output: Store, key: string): Promise<string> =>
  new TextDecoder().decode((await output.get(key))?.bytes);
const driftOf = (events: readonly TrainingEvent[]) => {
  const [drift, another] = events.filter((event) => event.type === "drift");
  assert.ok(drift && !another);
  return drift;
};
/** The loss over all rows before the first step. */
const lossBefore = (events: readonly TrainingEvent[]): number =>
  events.find((event) => event.type === "evaluate")?.metrics.loss ?? NaN;
const start = { evalOnStart: true, maxSteps: 1, perDeviceEvalBatchSize: 2 };

describe("the quality gate", () => {
  it("says what evaluations before and behind quantizing say: the change of the mean loss", async () => {
    const change = { training: start };
    const [plain, quantized] = [await run([], undefined, { change }), await run(["nf4"], undefined, { change })];
    assert.ok(!plain.some((event) => event.type === "drift"));
    const { rows, loss, logits, gradientCosine } = driftOf(quantized);
    assert.equal(rows, Math.min(32, tinyRows.length));
    const due = lossBefore(quantized) - lossBefore(plain);
    assert.ok(Math.abs(due) > 1e-4 && Math.abs(loss - due) < 1e-6, `${loss}, evaluations say ${due}`);
    assert.ok(logits > 0 && logits < 1, `${logits}`);
    assert.ok(gradientCosine !== null && gradientCosine > 0.8 && gradientCosine < 1, `${gradientCosine}`);
    const at = quantized.findIndex((event) => event.type === "drift");
    assert.ok(at < quantized.findIndex((event) => event.type === "start" || event.type === "step"));
  });

  it("is in log, report and model card, with what loads the base so in Python", async () => {
    const output = await store();
    const drift = driftOf(await run([{ use: "nf4", with: { useDoubleQuant: true } }], output));
    const line = (await text(output, "log.jsonl")).split("\n").map((one) => JSON.parse(one || "{}") as Named<Json>)
      .find(({ type }) => type === "drift");
    assert.deepEqual(line, JSON.parse(JSON.stringify(drift)));
    const card = await text(output, "adapter/README.md");
    assert.match(
      card,
      /^quantization: "BitsAndBytesConfig\(load_in_4bit=True, bnb_4bit_quant_type=\\"nf4\\", bnb_4bit_use_double_quant=True/m,
    );
    assert.match(card, /^- `nf4` \{.*"useDoubleQuant":true.*\}: over \d+ rows, the mean loss changes by /m);
    assert.match(await text(output, "report.html"), /the mean loss changes by/);
  });

  it("refuses what changes the loss by more than it may: nothing is trained or written as a model", async () => {
    const output = await store();
    const refused = run([{ use: "nf4", with: { maxLossDrift: 1e-6 } }], output);
    await assert.rejects(refused, { code: "REFUSED", message: /maxLossDrift/ });
    for await (const { key } of output.list("")) assert.doesNotMatch(key, /adapter|checkpoint|metrics/);
    await run([{ use: "nf4", with: { maxLossDrift: 10 } }]);
  });

  it("is told once where a run goes on, and its log is the one of a run that was never cut off", async () => {
    const [whole, parts] = [await store(), await store()];
    await run(["nf4"], whole);
    const stop = new AbortController();
    let steps = 0;
    await run(["nf4"], parts, { signal: stop.signal, onStep: () => ++steps === 2 && stop.abort() });
    const resumed = await run(["nf4"], parts, { resume: true });
    assert.ok(!resumed.some((event) => event.type === "drift"));
    const eventTypes = async (output: Store): Promise<string[]> =>
      (await text(output, "log.jsonl")).split("\n").filter((line) => !line.includes('"checkpoint"'));
    assert.deepEqual(await eventTypes(parts), await eventTypes(whole));
    assert.equal(await text(parts, "adapter/README.md"), await text(whole, "adapter/README.md"));
  });

  it("takes little memory: nothing packed, outputs given back, one session at a time, closed before step one", async () => {
    const lib = host.lib as Ort;
    type Opened = { options: Named<unknown>; results: OrtTensor[]; isOpen: boolean; beside: number };
    const opened: Opened[] = [];
    const create: Ort["InferenceSession"]["create"] = async (model, options) => {
      const session = await lib.InferenceSession.create(model, options);
      const beside = opened.filter(({ isOpen }) => isOpen).length;
      const one: Opened = { options: options as Named<unknown>, results: [], isOpen: true, beside };
      opened.push(one);
      return {
        run: async (feeds, fetches) => {
          const results = await session.run(feeds, fetches ?? {});
          one.results.push(...Object.values(results));
          return results;
        },
        release: async () => {
          one.isOpen = false;
          await session.release();
        },
      };
    };
    const seen: Host = { ...host, lib: { ...lib, Tensor: lib.Tensor, InferenceSession: { create } } };
    const isGate = ({ results, isOpen }: Opened): boolean => !isOpen && results.length > 2;
    let before: readonly Opened[] = [];
    const change = { training: { maxSteps: 1 } };
    await run(["nf4"], undefined, { change, on: seen, onStep: () => (before = opened.filter(isGate)) });
    assert.equal(before.length, 2, "closed before the first step");
    assert.equal(before[0]?.beside, before[1]?.beside, "the base as it is stored is closed when the other is opened");
    for (const { options, results } of before) {
      assert.match(JSON.stringify(options.extra), /"disable_prepacking":"1"/);
      const rows = Math.min(32, tinyRows.length);
      const left = results.filter(({ data }) => (data as Float32Array).length > 1).length;
      assert.ok(left < results.length / rows, `of each row all but sums is given back: ${left} of ${results.length}`);
    }
  });

  it("leaves runs alone that quantize nothing", async () => {
    const events = await run(["fp16"]);
    assert.ok(!events.some((event) => event.type === "drift"));
  });
});
