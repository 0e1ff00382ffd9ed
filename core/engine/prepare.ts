/** The preparation of regularizers before the first step, for which they may use gradients of single rows. */
import { unsupported } from "../base/errors.ts";
import type { Dataset, Named, Regularizer, RegularizerContext, Tensor } from "../types.ts";
import type { EngineOptions, EngineTask } from "./engine_options.ts";
import { lossFactors } from "./factors.ts";
import type { Parameter } from "./builder/parameters.ts";
import type { PreparedRegularizer, Program } from "./program.ts";
import { buildProbed, openRowProbe, type RowProbeOptions } from "./row_probe.ts";
import type { InitialWeights } from "./weights.ts";

/** Prepares regularizers: computes their frozen tensors, and gives each a unique name. */
export async function prepareRegularizers(
  options: EngineOptions,
  task: EngineTask,
  initial: InitialWeights,
): Promise<readonly PreparedRegularizer[]> {
  return await preparedWith(options.regularizers ?? [], () => createRegularizerContext(options, task, initial));
}

/**
 * Returns regularizers with frozen tensors that have dims but no values, for estimates. `program`: built without
 * regularizers; `isNew`: whether a parameter has no saved value.
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
  const probed = { ...options, task, initial };
  const program = buildProbed(probed);
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
    gradients: (data) => gradientsOf(probed, task, program, data),
  };
}

async function* gradientsOf(
  options: RowProbeOptions,
  task: EngineTask,
  program: Program,
  data: Dataset,
): AsyncIterable<Named<Float32Array>> {
  const { rowsOf } = task;
  if (!rowsOf) throw unsupported("engine", "regularizers", data.name, "no rows can be read here");
  const probe = await openRowProbe(options, program);
  try {
    for await (const batch of rowsOf(data)) {
      const [factors = {}] = lossFactors([{ ...task, weight: 1 }], [batch]);
      yield (await probe.run(batch, factors)).gradients;
    }
  } finally {
    await probe.close();
  }
}
