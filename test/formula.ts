/** Small models whose weights a formula makes: `formula` of the scripts beside the figures makes the same ones. */
import type { Engine } from "../core/engine/engine.ts";
import { inspectBackbone } from "../core/engine/inspect.ts";
import { buildProgram } from "../core/engine/program.ts";
import { writeSafetensors } from "../core/files/safetensors.ts";
import { sizeOf, type Tensor } from "../core/base/tensor.ts";
import { layOut } from "../core/loop/layout.ts";
import { type OpenRun, openRun } from "../core/run/open/open.ts";
import { createRunEngine } from "../core/run/plan/engine.ts";
import { encodeRows } from "../core/run/rows/data.ts";
import { allSamples, type EncodedRows } from "../core/run/rows/encoded_rows.ts";
import { compose } from "../core/spec/compose.ts";
import type { Architecture, Backbone, Batch, Head, Host, Json, Named, Row, RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { tinyHost } from "./tiny.ts";
import { jsonBytes } from "../core/base/bytes.ts";

/** How large the values are, and which weights are norms' and lie around 1. */
export type Formula = Readonly<{ size?: number; norms?: RegExp }>;

/** The tensor of a name. */
export function formulaTensor(
  name: string,
  dims: readonly number[],
  { size = 0.3, norms = /norm/i }: Formula = {},
): Tensor<Float32Array> {
  const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) * 0.7;
  const base = name.endsWith("weight") && norms.test(name) ? 1 : 0;
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => base + size * Math.sin(i * 12.9898 + seed));
  return { dtype: "float32", dims, data };
}

/** The tensors of names and shapes. */
export function formulaWeights(
  shapes: Named<readonly number[]>,
  formula: Formula = {},
): Named<Tensor<Float32Array>> {
  return Object.fromEntries(Object.entries(shapes).map(([name, dims]) => [name, formulaTensor(name, dims, formula)]));
}

/** A host whose "tiny:model" has a config and weights. */
export async function modelHost(
  config: Named<Json>,
  weights: Named<Tensor>,
  files: Named<Uint8Array> = {},
): Promise<Host> {
  return tinyHost(await hostHere(1), {
    "config.json": jsonBytes(config),
    "model.safetensors": writeSafetensors(weights),
    ...files,
  });
}

/** Every family of models. */
export const architectures: readonly Architecture[] = Object.values(catalog.architecture).flatMap((entry) => {
  const architecture = entry.parse({});
  return architecture.issues ? [] : [architecture.value];
});

/** The backbone of a config. */
export function readBackbone(config: Named<Json>): Backbone {
  const family = architectures.find(({ modelTypes }) => modelTypes.includes(String(config.model_type)));
  if (!family) throw new Error(`no architecture reads ${config.model_type}`);
  return family.read(config);
}

/** The shapes of all parameters of a config's model with a head. */
export function shapesOf(config: Named<Json>, head: Head): Named<readonly number[]> {
  const { recorded } = buildProgram({
    mode: "evaluate",
    backbone: inspectBackbone(readBackbone(config)),
    heads: [head],
    losses: [],
    attached: [],
    labelSmoothing: 0,
    checkpointing: false,
    isTrainable: () => false,
    targets: {},
  });
  return Object.fromEntries([...recorded.parameters.values()].map(({ name, shape }) => [name, shape]));
}

/** A run over a model, its engine, and all rows as one batch: sharing rows, and a row each. */
export type OpenModel = Readonly<{ open: OpenRun; train: EncodedRows; engine: Engine; shared: Batch; padded: Batch }>;

/** Opens the "tiny:model" of a host on a task and rows. */
export async function openModel(
  host: Host,
  { rows, ...spec }: Readonly<{ task: Json; rows: readonly Row[]; adapter?: Json; training?: Named<Json> }>,
): Promise<OpenModel> {
  const run = compose(
    {
      version: 1,
      model: { use: "pretrained", with: { path: "tiny:model" } },
      data: { train: { use: "memory", with: { rows } } },
      optimizer: "sgd",
      ...spec,
    } as unknown as RunSpec,
    catalog,
  );
  const open = await openRun(run, host);
  const train = await encodeRows(open, run.data.train as never, true);
  const samples = await allSamples(train);
  return {
    open,
    train,
    engine: await createRunEngine(open, train, undefined),
    shared: layOut(samples, open.layout),
    padded: layOut(samples, { ...open.layout, rowSharing: false }),
  };
}

/** The gradients of the last step by parameter, those of tables with all rows. */
export function wholeGradients({ state }: Engine): Named<Float32Array> {
  return Object.fromEntries(state.trained.map(({ name, fullShape, rows, span: { gradient } }) => {
    const whole = new Float32Array(sizeOf(fullShape));
    const width = sizeOf(fullShape.slice(1));
    if (!rows) whole.set(gradient.subarray(0, whole.length));
    rows?.forEach((row, i) => whole.set(gradient.subarray(i * width, (i + 1) * width), row * width));
    return [name, whole];
  }));
}
