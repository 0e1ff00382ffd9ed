/**
 * Checks of model architectures: gradients match slopes of the loss, padding and row sharing change nothing, decoders
 * do not see later tokens, saved files load again, and adapters find the layers.
 */
import { compose } from "../core/spec/compose.ts";
import type { Engine } from "../core/engine/engine.ts";
import { inspectBackbone } from "../core/engine/inspect.ts";
import { layOut } from "../core/loop/layout.ts";
import { encodeRows } from "../core/run/rows/data.ts";
import { allSamples } from "../core/run/rows/encoded_rows.ts";
import { createRunEngine } from "../core/run/plan/engine.ts";
import { evaluateRun } from "../core/run/evaluate/evaluate.ts";
import { type OpenRun, openRun } from "../core/run/open/open.ts";
import { storeWithin } from "../core/files/within.ts";
import type { Architecture, Batch, Json, Named, Row, Sample, Tensor } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, type BenchFigures, benchOf, entryOf, evaluationIn, memoryStore, withFolders } from "./bench.ts";
import { type Check, check } from "./check.ts";
import { assertSlopes } from "./slopes.ts";
import { tinyAdapter } from "./tiny/adapter.ts";
import { rowsInSpec, tinyRows } from "./tiny/task.ts";

/** Inputs of an architecture's checks. */
export type ArchitectureFigures = Readonly<{
  /** A tiny config, without dropout, for 28 tokens. */
  config?: Named<Json>;
  /** The tokens that an output depends on: all, those up to its own, or the decoder's up to its own. Default: all. */
  sees?: "all" | "before" | "decoder";
  /** A task with logits at every position. Default: the checks' own task, with three classes. */
  perPlace?: unknown;
  /** The task of a run that is saved and loaded. Default: `perPlace`. */
  task?: unknown;
  /** Rows for `task`. */
  rows?: readonly Row[];
  /** Values of config fields that must be refused, by field. */
  refused?: Named<Json>;
  /** The parameters that a checkpoint of the config has, without heads. */
  shapes?: Named<readonly number[]>;
}>;

type Context = Readonly<{ bench: Bench; figures: ArchitectureFigures & Readonly<{ config: Named<Json> }> }>;

/** Returns the checks of an architecture with one config. */
export function architectureChecks(
  model: Architecture,
  givenFigures: ArchitectureFigures & BenchFigures,
  config: Named<Json>,
): readonly Check[] {
  const catalog = { ...givenFigures.catalog, architecture: { [model.name]: entryOf<"architecture">(model) } };
  const figures = { perPlace: "tiny-places", ...givenFigures, config };
  const on = (property: (context: Context) => Promise<void>) => async (): Promise<void> => {
    const bench = benchOf({ ...givenFigures, catalog });
    if (bench) await property({ bench, figures });
  };
  return [
    check("gradients are slopes", on(gradientsAreSlopes)),
    check("padding changes nothing", on(paddingChangesNothing)),
    check("sees what it may", on(seesWhatItMay)),
    check("comes back from its files", on(comesBack)),
    check("adapters find its layers", on(adaptersFindLayers)),
  ];
}

/** Returns the checks of reading configs, which compute nothing. */
export function configChecks(
  model: Architecture,
  { config, refused = {}, shapes }: ArchitectureFigures,
): readonly Check[] {
  const read = (change: Named<Json> = {}): ReturnType<Architecture["read"]> => model.read({ ...config, ...change });
  return [
    check("names the model types that it reads", () => {
      assert.ok(model.modelTypes.length > 0);
      assert.equal(new Set(model.modelTypes).size, model.modelTypes.length);
    }),
    check("refuses what it does not support, by name", () => {
      for (const [field, value] of Object.entries(refused)) {
        assert.throws(() => read({ [field]: value }), new RegExp(field), field);
      }
    }),
    ...config === undefined ? [] : [check("says of itself what it builds", () => {
      const architecture = read();
      const backbone = inspectBackbone(architecture);
      assert.ok(backbone.parameters.length > 0, "no parameters");
      for (const layer of architecture.layers) {
        assert.ok(backbone.parameters.some((name) => name.startsWith(`${layer}.`)), `no parameter below ${layer}`);
      }
      assert.equal(backbone.shapes[`${architecture.wordEmbeddings}.weight`]?.[0], architecture.vocabSize);
      if (shapes) {
        assert.deepEqual(
          Object.fromEntries(Object.entries(backbone.shapes).sort()),
          Object.fromEntries(Object.entries(shapes).sort()),
        );
      }
    })],
  ];
}

/** Ids of rows of several lengths; the tiny tokenizer has 28. */
const IDS: readonly (readonly number[])[] = [[2, 5, 7, 10, 13, 3], [2, 6, 8, 3], [2, 5, 9, 11, 14, 17, 20, 12, 3]];

/** Returns rows of ids. `change` replaces an id of the last row, or one of its labels if the model has a decoder. */
function idRows({ figures }: Context, change?: Readonly<{ place: number; id: number }>): Row[] {
  return IDS.map((ids, row) => {
    const changed = ids.map((id, i) => (row === IDS.length - 1 && i === change?.place ? change.id : id));
    if (figures.sees === "decoder") return { input_ids: [...ids], labels: changed };
    return figures.sees === "before" && figures.perPlace !== "tiny-places"
      ? { input_ids: changed }
      : { input_ids: changed, labels: ids.map((id) => id % 3) };
  });
}

const modelOf = ({ figures }: Context): Json => ({ use: "tiny", with: { config: figures.config } });

type Opened = Readonly<{ open: OpenRun; engine: Engine; samples: readonly Sample[] }>;

async function opened(context: Context, rows: readonly Row[], adapter: readonly unknown[] = []): Promise<Opened> {
  const { bench, figures } = context;
  const open = await bench.open({ model: modelOf(context), task: figures.perPlace, adapter });
  const train = await encodeRows(open, rowsInSpec({ rows }), true);
  const samples = await allSamples(train);
  return { open, samples, engine: await createRunEngine(open, train, undefined) };
}

/** Returns the logits of a batch by "row:place", without padding. */
async function logitsOf(engine: Engine, batch: Batch): Promise<Map<string, number[]>> {
  const { outputs } = await engine.run(batch, false);
  const logits = outputs.logits as Tensor<Float32Array>;
  const width = logits.dims.at(-1) ?? 1;
  const places = batch.decoder?.tokenOrigins ?? batch.tokenOrigins;
  const byKey = new Map<string, number[]>();
  for (let at = 0; at < places.length / 2; at++) {
    const [row = -1, place = -1] = places.subarray(2 * at, 2 * at + 2);
    if (row >= 0) byKey.set(`${row}:${place}`, [...logits.data.subarray(at * width, (at + 1) * width)]);
  }
  return byKey;
}

const apart = (a: readonly number[] = [], b: readonly number[] = []): number =>
  a.length === b.length ? a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? NaN))), 0) : NaN;

async function gradientsAreSlopes(context: Context): Promise<void> {
  const { open, engine, samples } = await opened(context, idRows(context));
  await assertSlopes(engine, layOut(samples, open.layout));
  await engine.close();
}

/** Checks that a sequence has the same logits alone, beside longer ones, with more padding, and in a shared row. */
async function paddingChangesNothing(context: Context): Promise<void> {
  const { open, engine, samples } = await opened(context, idRows(context));
  const apartFrom = (some: Map<string, number[]>, others: Map<string, number[]>): number =>
    [...some].reduce((most, [key, logits]) => Math.max(most, apart(logits, others.get(key))), 0);
  const alone = new Map<string, number[]>();
  for (const [row, sample] of samples.entries()) {
    const own = await logitsOf(engine, layOut([sample], { ...open.layout, rowSharing: false }));
    for (const [key, logits] of own) alone.set(`${row}:${key.split(":")[1]}`, logits);
  }
  const layouts: Named<OpenRun["layout"]> = {
    "beside longer ones": { ...open.layout, rowSharing: false },
    "beside more padding": { ...open.layout, rowSharing: false, padToMultipleOf: 16 },
    "with padding in front": { ...open.layout, rowSharing: false, side: "left" },
    "in one row": { ...open.layout, rowSharing: true },
  };
  for (const [name, layout] of Object.entries(layouts)) {
    const logits = await logitsOf(engine, layOut(samples, layout));
    assert.deepEqual([...logits.keys()].sort(), [...alone.keys()].sort(), name);
    const difference = apartFrom(logits, alone);
    assert.ok(difference < 1e-5, `${name}: ${difference}`);
  }
  await engine.close();
}

/** Checks that a decoder's logits depend on tokens up to their own position, and an encoder's on all tokens. */
async function seesWhatItMay(context: Context): Promise<void> {
  const last = (IDS.at(-1)?.length ?? 0) - 2;
  const changed = { place: last, id: 15 };
  const { open, engine, samples } = await opened(context, [...idRows(context), ...idRows(context, changed)]);
  const { sees = "all" } = context.figures;
  const layout = { ...open.layout, rowSharing: false };
  const before = await logitsOf(engine, layOut(samples.slice(2, 3), layout));
  const after = await logitsOf(engine, layOut(samples.slice(5, 6), layout));
  const differs = (place: number): boolean => apart(before.get(`0:${place}`), after.get(`0:${place}`)) > 1e-6;
  // A decoder's inputs are the labels shifted by one.
  const from = sees === "decoder" ? last + 1 : last;
  assert.ok(differs(from), `the logits at ${from} do not depend on the token there`);
  const causal = sees !== "all";
  for (let place = 0; place < from; place++) {
    assert.equal(differs(place), !causal, `whether the token at ${from} changes the logits at ${place}`);
  }
  await engine.close();
}

/** Checks that a saved model has the same loss as the run at its end. */
async function comesBack(context: Context): Promise<void> {
  const { bench, figures } = context;
  const { perPlace, task = perPlace, rows = task === perPlace ? idRows(context) : tinyRows } = figures;
  const output = memoryStore();
  const data = { train: { use: "tiny-rows", with: { rows } }, eval: { use: "tiny-rows", with: { rows } } };
  const training = { maxSteps: 2, learningRate: 0.01, saveStrategy: "no" };
  const events = await bench.train({ model: modelOf(context), task, data }, training, output);
  const host = withFolders(bench.host, { "conformance:saved": storeWithin(output, "model/") });
  const saved = bench.spec({ model: { use: "tiny", with: { path: "conformance:saved" } }, task, data });
  const again = await evaluateRun(await openRun(compose(saved, bench.catalog), host), rowsInSpec({ rows }));
  assert.near([again.loss ?? NaN], [evaluationIn(events).loss ?? 0], 1e-6, "the loss of what was written");
}

/** Checks that an adapter of all linear layers adapts every matrix of every layer that is a separate module. */
async function adaptersFindLayers(context: Context): Promise<void> {
  const plain = await opened(context, idRows(context));
  const { layers } = plain.open.backbone;
  const matrices = plain.engine.state.trained.filter(({ name, fullShape }) =>
    name.endsWith(".weight") && fullShape.length === 2 && layers.some((layer) => name.startsWith(`${layer}.`)) &&
    !name.endsWith("relative_attention_bias.weight")
  ).map(({ name }) => name.slice(0, -".weight".length));
  await plain.engine.close();
  const adapter = [
    context.bench.catalog.adapter?.lora ? { use: "lora", with: { r: 2, targetModules: "all-linear" } } : tinyAdapter(),
  ];
  const { engine } = await opened(context, idRows(context), adapter);
  const adapted = engine.state.trained.flatMap(({ name }) => /^(.*)\.lora_A/.exec(name)?.[1] ?? []);
  await engine.close();
  assert.ok(matrices.length >= 4, `only ${matrices}`);
  assert.deepEqual(matrices.filter((name) => !adapted.includes(name)), [], "matrices without an adapter");
}
