/**
 * What holds of every model: its gradients are the slopes of its loss, padding and company in a row change nothing,
 * decoders do not see what follows, it comes back from its files, and adapters find its layers.
 * @module
 */
import assert from "node:assert/strict";
import { compose } from "../../core/compose.ts";
import type { Engine } from "../../core/engine/engine.ts";
import type { SavedTensors } from "../../core/engine/state.ts";
import { layOut } from "../../core/loop/layout.ts";
import { createRandom } from "../../core/random.ts";
import { encodeRows } from "../../core/run/data.ts";
import { evaluateRun } from "../../core/run/evaluate.ts";
import { type OpenRun, openRun } from "../../core/run/open.ts";
import { engineOf } from "../../core/run/engine.ts";
import { trainRun } from "../../core/run/train.ts";
import type { Tensor } from "../../core/tensor.ts";
import type { Batch, Host, Json, Named, Row, RunSpec, Sample } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory as rowsOf } from "../../plugins/data/memory.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/train.ts";
import { tinyHost } from "../tiny.ts";
import { type Family, noDropout, placed, rows, tinyModel } from "./families.ts";

/** Checks by what they are called. Each throws where its property does not hold. */
export const properties: Named<(family: Family) => Promise<void>> = {
  "gradients are slopes": gradientsAreSlopes,
  "padding changes nothing": paddingChangesNothing,
  "sees what it may": seesWhatItMay,
  "comes back from its files": comesBack,
  "adapters find its layers": adaptersFindLayers,
};

/** Ids of rows of several lengths; the tiny tokenizer has 28. */
const IDS: readonly (readonly number[])[] = [
  [2, 5, 7, 10, 13, 3],
  [2, 6, 8, 3],
  [2, 5, 9, 11, 14, 17, 20, 12, 3],
];

/** How a family is asked for a figure at every place. */
const perPlace = ({ task }: Family): Json =>
  typeof task === "string" ? task : { use: "token-classification", with: { labels: ["a", "b", "c"] } };

/** Rows of ids for that; `change` puts another id at a place of the last one, of its labels where it has a decoder. */
function idRows({ task }: Family, change?: Readonly<{ place: number; id: number }>): Row[] {
  return IDS.map((ids, row) => {
    const changed = ids.map((id, i) => (row === IDS.length - 1 && i === change?.place ? change.id : id));
    if (task === "seq2seq-lm") return { input_ids: [...ids], labels: changed };
    return task === "causal-lm" ? { input_ids: changed } : { input_ids: changed, labels: ids.map((id) => id % 3) };
  });
}

type Opened = Readonly<{ open: OpenRun; engine: Engine; samples: readonly Sample[] }>;

async function opened(
  family: Family,
  rows: readonly Row[],
  task: Json,
  adapter: readonly Json[] = [],
): Promise<Opened> {
  const spec = {
    version: 1,
    model: tinyModel({ ...family, config: { ...family.config, ...noDropout } }),
    task,
    data: { train: { use: "memory", with: { rows } } },
    adapter,
    optimizer: "sgd",
  };
  const open = await openRun(compose(spec as unknown as RunSpec, catalog), tinyHost(await hostHere(1)));
  const train = await encodeRows(open, open.run.use("dataset", spec.data.train), true);
  return { open, samples: train.samples, engine: await engineOf(open, train, undefined) };
}

/** Logits by "row:place" of a batch, padding left out. */
async function logitsOf(engine: Engine, batch: Batch): Promise<Map<string, number[]>> {
  const { outputs } = await engine.run(batch, false);
  const logits = outputs.logits as Tensor<Float32Array>;
  const width = logits.dims.at(-1) ?? 1;
  const places = batch.decoder?.places ?? batch.places;
  const found = new Map<string, number[]>();
  for (let at = 0; at < places.length / 2; at++) {
    const [row = -1, place = -1] = places.subarray(2 * at, 2 * at + 2);
    if (row >= 0) found.set(`${row}:${place}`, [...logits.data.subarray(at * width, (at + 1) * width)]);
  }
  return found;
}

const apart = (a: readonly number[] = [], b: readonly number[] = []): number =>
  a.length === b.length ? a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? NaN))), 0) : NaN;

/**
 * Along directions in which each tensor moves by a length of its own, the loss changes as the gradients say: by four-point
 * differences, whose error is of the fourth order.
 */
async function gradientsAreSlopes(family: Family): Promise<void> {
  const { open, engine, samples } = await opened(family, idRows(family), perPlace(family));
  const batch = layOut(samples, open.layout);
  const loss = async (): Promise<number> =>
    (await engine.step([batch], { step: 1, learningRate: 0, maxGradNorm: 0 })).loss;
  await loss();
  const gradients = new Map(engine.state.trained.map((t) => [t.name, Float32Array.from(t.span.gradient)]));
  const start = engine.state.weights();
  const random = createRandom(7);
  const norm = (x: Float32Array): number => Math.sqrt(x.reduce((sum, g) => sum + g * g, 0));
  for (let direction = 0; direction < 3; direction++) {
    const lengths = new Map(
      engine.state.trained.map(({ name }, i) => [name, 2 * random.fork("length", direction).uniform(i) - 1]),
    );
    const at = async (step: number): Promise<number> => {
      const moved: Record<string, SavedTensors[string]> = { ...start };
      for (const [name, gradient] of gradients) {
        const [own, size] = [start[`parameter/${name}`], norm(gradient)];
        if (!own || size === 0) continue;
        const scale = step * (lengths.get(name) ?? 0) / size;
        moved[`parameter/${name}`] = { ...own, data: own.data.map((x, i) => x + scale * (gradient[i] ?? 0)) };
      }
      engine.state.setWeights(moved);
      return await loss();
    };
    const h = 0.005;
    const slope = (8 * (await at(h) - await at(-h)) - (await at(2 * h) - await at(-2 * h))) / (12 * h);
    let [told, size] = [0, 0];
    for (const [name, gradient] of gradients) {
      told += (lengths.get(name) ?? 0) * norm(gradient);
      size += norm(gradient);
    }
    assert.ok(size > 0.1, `gradients of ${size}`);
    assert.ok(Math.abs(slope - told) < 5e-4 * size, `direction ${direction}: slope ${slope}, told ${told}, of ${size}`);
  }
  engine.state.setWeights(start);
  await engine.close();
}

/** Each row alone, beside longer ones, beside more padding, and in one row with others: the same logits. */
async function paddingChangesNothing(family: Family): Promise<void> {
  const { open, engine, samples } = await opened(family, idRows(family), perPlace(family));
  const apartFrom = (own: Map<string, number[]>, others: Map<string, number[]>): number =>
    [...own].reduce((most, [key, logits]) => Math.max(most, apart(logits, others.get(key))), 0);
  const alone = new Map<string, number[]>();
  for (const [row, sample] of samples.entries()) {
    const own = await logitsOf(engine, layOut([sample], { ...open.layout, share: false }));
    for (const [key, logits] of own) alone.set(`${row}:${key.split(":")[1]}`, logits);
  }
  const layouts: Named<OpenRun["layout"]> = {
    "beside longer ones": { ...open.layout, share: false },
    "beside more padding": { ...open.layout, share: false, padToMultipleOf: 16 },
    "with padding in front": { ...open.layout, share: false, side: "left" },
    "in one row": { ...open.layout, share: true },
  };
  for (const [name, layout] of Object.entries(layouts)) {
    const found = await logitsOf(engine, layOut(samples, layout));
    assert.deepEqual([...found.keys()].sort(), [...alone.keys()].sort(), name);
    const difference = apartFrom(found, alone);
    assert.ok(difference < 1e-5, `${name}: ${difference}`);
  }
  await engine.close();
}

/** A decoder's logits depend on tokens up to their own place, an encoder's on all. */
async function seesWhatItMay(family: Family): Promise<void> {
  const last = (IDS.at(-1)?.length ?? 0) - 2;
  const changed = { place: last, id: 15 };
  const { open, engine, samples } = await opened(
    family,
    [...idRows(family), ...idRows(family, changed)],
    perPlace(family),
  );
  const layout = { ...open.layout, share: false };
  const before = await logitsOf(engine, layOut(samples.slice(2, 3), layout));
  const after = await logitsOf(engine, layOut(samples.slice(5, 6), layout));
  const differs = (place: number): boolean => apart(before.get(`0:${place}`), after.get(`0:${place}`)) > 1e-6;
  // A decoder's inputs are its labels shifted by one.
  const from = family.task === "seq2seq-lm" ? last + 1 : last;
  assert.ok(differs(from), `the logits at ${from} do not depend on the token there`);
  const causal = typeof family.task === "string";
  for (let place = 0; place < from; place++) {
    assert.equal(differs(place), !causal, `whether the token at ${from} changes the logits at ${place}`);
  }
  await engine.close();
}

/** What a run leaves gives the loss that the run ended with. */
async function comesBack(family: Family): Promise<void> {
  const host = tinyHost(await hostHere(1));
  const output = await memory().open(host);
  const spec = (model: Json): RunSpec => ({
    version: 1,
    model,
    task: family.task,
    data: { train: { use: "memory", with: { rows } }, eval: { use: "memory", with: { rows } } },
    training: { maxSteps: 2, learningRate: 0.01, perDeviceTrainBatchSize: 4, saveStrategy: "no" },
  } as unknown as RunSpec);
  let loss = NaN;
  for await (const event of trainRun(compose(spec(tinyModel(family)), catalog), host, { output })) {
    if (event.type === "evaluate") loss = event.metrics.loss ?? NaN;
  }
  const there = placed(host, "tiny:saved", output, "model/");
  const saved = spec({ use: "pretrained", with: { path: "tiny:saved" } });
  const again = (await evaluateRun(await openRun(compose(saved, catalog), there), rowsOf({ rows }))).loss ?? NaN;
  assert.ok(Math.abs(again - loss) < 1e-6, `${again} and ${loss}`);
}

/** `all-linear` adapts each matrix of each layer that is a module of its own. */
async function adaptersFindLayers(family: Family): Promise<void> {
  const plain = await opened(family, idRows(family), perPlace(family));
  const { layers } = plain.open.trunk;
  const matrices = plain.engine.state.trained.filter(({ name, fullShape }) =>
    name.endsWith(".weight") && fullShape.length === 2 && layers.some((layer) => name.startsWith(`${layer}.`)) &&
    !name.endsWith("relative_attention_bias.weight")
  ).map(({ name }) => name.slice(0, -".weight".length));
  await plain.engine.close();
  const adapter = [{ use: "lora", with: { r: 2, targetModules: "all-linear" } }];
  const { engine } = await opened(family, idRows(family), perPlace(family), adapter);
  const adapted = engine.state.trained.flatMap(({ name }) => /^(.*)\.lora_A/.exec(name)?.[1] ?? []);
  await engine.close();
  assert.ok(matrices.length >= 4, `only ${matrices}`);
  assert.deepEqual(matrices.filter((name) => !adapted.includes(name)), [], "matrices without an adapter");
}

/** Losses of two steps of a family's own task, on a host. */
export async function lossesOn(family: Family, host: Host): Promise<number[]> {
  const data = { use: "memory", with: { rows } };
  const spec = {
    version: 1,
    model: tinyModel({ ...family, config: { ...family.config, ...noDropout } }),
    task: family.task,
    data: { train: data },
    training: { maxSteps: 2, learningRate: 0.01, perDeviceTrainBatchSize: 4, saveStrategy: "no" },
  } as unknown as RunSpec;
  const losses: number[] = [];
  for await (const event of trainRun(compose(spec, catalog), tinyHost(host), {})) {
    if (event.type === "step") losses.push(event.loss);
  }
  return losses;
}
