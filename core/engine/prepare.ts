/**
 * What regularizers compute before the first step, and the gradients of single rows that they may do it with.
 * @module
 */
import { unsupported } from "../errors.ts";
import { sizeOf } from "../tensor.ts";
import type { Batch, Dataset, Named, Ort, OrtTensor, Regularizer, RegularizerContext, Tensor } from "../types.ts";
import type { EngineOptions, EngineTask } from "./engine_options.ts";
import { lossScales } from "./factors.ts";
import type { Parameter } from "./builder/parameters.ts";
import { createFeeder } from "./feeds.ts";
import {
  buildProgram,
  LOSS_SCALE,
  lossScaleInput,
  type PreparedRegularizer,
  type Program,
  trainsRule,
} from "./program.ts";
import { openSession } from "./sessions.ts";
import type { InitialWeights } from "./weights.ts";

/** Regularizers with their frozen tensors, each under a name of its own. */
export async function prepareRegularizers(
  options: EngineOptions,
  task: EngineTask,
  initial: InitialWeights,
): Promise<readonly PreparedRegularizer[]> {
  return await preparedWith(options.regularizers ?? [], () => createRegularizerContext(options, task, initial));
}

/**
 * Regularizers with frozen tensors that have dims but no values: for what a run will take. `program`: without them;
 * `isNew`: whether a parameter has no saved value.
 */
export async function dryRegularizers(
  regularizers: readonly Regularizer[],
  { gradients, recorded }: Program,
  isNew: (parameter: Parameter) => boolean,
): Promise<readonly PreparedRegularizer[]> {
  const { parameters, linears } = recorded;
  const trained = gradients.flatMap(({ parameter }) => parameters.get(parameter) ?? []);
  return await preparedWith(regularizers, () => ({
    parameters: Object.fromEntries(trained.map((p) => [p.name, { shape: p.shape, fresh: isNew(p) }])),
    linears: [...linears.keys()],
    read: (name) =>
      Promise.resolve({ dtype: "float32", dims: parameters.get(name)?.shape ?? [], data: new Float32Array(0) }),
    gradients: async function* () {
      yield {};
    },
  }));
}

async function preparedWith(
  regularizers: readonly Regularizer[],
  probeOf: () => RegularizerContext,
): Promise<readonly PreparedRegularizer[]> {
  const earlier = (i: number): number =>
    regularizers.slice(0, i).filter((r) => r.name === regularizers[i]?.name).length;
  const probe = regularizers.some((r) => r.prepare) ? probeOf() : undefined;
  const prepared: PreparedRegularizer[] = [];
  for (const [i, regularizer] of regularizers.entries()) {
    const name = earlier(i) === 0 ? regularizer.name : `${regularizer.name}-${earlier(i) + 1}`;
    prepared.push({ name, regularizer, frozen: await frozenOf(regularizer, probe) });
  }
  return prepared;
}

async function frozenOf(
  regularizer: Regularizer,
  probe: RegularizerContext | undefined,
): Promise<Named<Tensor<Float32Array>>> {
  return (probe && await regularizer.prepare?.(probe)) ?? {};
}

function createRegularizerContext(
  options: EngineOptions,
  task: EngineTask,
  initial: InitialWeights,
): RegularizerContext {
  const program = buildProgram({
    ...options,
    ...task,
    taskName: task.name,
    regularizers: [],
    mode: "train",
    checkpointing: false,
    random: false,
    isTrainable: trainsRule(task.attached),
    targets: task.example.inputs,
    given: Object.keys(task.example.inputs),
  });
  const { parameters } = program.recorded;
  const trained = program.gradients.flatMap(({ parameter }) => parameters.get(parameter) ?? []);
  return {
    parameters: Object.fromEntries(trained.map((p) => [p.name, { shape: p.shape, fresh: initial.isNew(p) }])),
    linears: [...program.recorded.linears.keys()],
    read: async (name) => {
      const p = parameters.get(name);
      if (!p) throw new RangeError(`No parameter "${name}"`);
      return await initial.read(p);
    },
    gradients: (data) => gradientsOf(options, task, initial, program, data),
  };
}

async function* gradientsOf(
  options: EngineOptions,
  task: EngineTask,
  initial: InitialWeights,
  program: Program,
  data: Dataset,
): AsyncIterable<Named<Float32Array>> {
  const { host, checkpoint } = options;
  const { losses, rowsOf } = task;
  if (!rowsOf) throw unsupported("engine", "regularizers", data.name, "rows are not read here");
  const lib = host.lib as Ort;
  const { parameters } = program.recorded;
  const fed = new Map<string, never>();
  const session = await openSession({
    host,
    graph: program.graph,
    parameters,
    checkpoint,
    initial,
    fed,
    prepack: false,
    arena: true,
  });
  const feeder = createFeeder(lib, new Map(), host.kernels);
  try {
    for await (const batch of rowsOf(data)) {
      const [factors = {}] = lossScales([{ ...task, weight: 1 }], [batch]);
      const extra: Record<string, OrtTensor> = {};
      for (const { name } of losses) {
        extra[lossScaleInput(name)] = new lib.Tensor("float32", Float32Array.of(factors[name] ?? 0), []);
      }
      if (session.feeds.has(LOSS_SCALE)) extra[LOSS_SCALE] = new lib.Tensor("float32", Float32Array.of(1), []);
      const results = await session.run(await feeder.feeds(session, program.recorded, batch, extra, undefined));
      yield wholeGradients(program, batch, results);
    }
  } finally {
    await session.close();
  }
}

/** Gradients of whole parameters, rows of tables added where they belong. */
function wholeGradients(
  { gradients, recorded }: Program,
  batch: Batch,
  results: Readonly<Record<string, OrtTensor>>,
): Named<Float32Array> {
  return Object.fromEntries(gradients.map(({ parameter, dense, sparse }) => {
    const p = recorded.parameters.get(parameter);
    const shape = p?.shape ?? [];
    const whole = dense === undefined ? new Float32Array(sizeOf(shape)) : results[dense]?.data as Float32Array;
    for (const { ids, rows } of sparse) {
      addTableRows(
        whole,
        batch.inputs[ids]?.data as Int32Array,
        undefined,
        results[rows]?.data as Float32Array,
        sizeOf(shape.slice(1)),
        p?.paddingIdx,
      );
    }
    return [parameter, whole];
  }));
}

/** Adds rows of gradients to a table's; `numbers`: where a table holds only some rows. */
export function addTableRows(
  table: Float32Array,
  ids: Int32Array,
  numbers: Int32Array | undefined,
  values: Float32Array,
  width: number,
  paddingIdx: number | undefined,
): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] ?? 0;
    if (id === paddingIdx) continue;
    const to = (numbers ? numbers[id] ?? 0 : id) * width;
    const from = i * width;
    for (let j = 0; j < width; j++) table[to + j] = (table[to + j] ?? 0) + (values[from + j] ?? 0);
  }
}
