/** The plan of trained parameters: which ones train, which rows of them, and their order in memory. */
import { sizeOf } from "../../base/tensor.ts";
import type { FamilyFacts, InspectedBackbone, Optimizer, ParameterGroup } from "../../types.ts";
import type { Parameter } from "../builder/parameters.ts";

/** The settings in which the updates of parameters differ. */
export type GroupSettings = Readonly<{
  /** Its own learning rate before the schedule, if not the run's, and (`lrScale`) a factor of the rate. */
  rate: number | undefined;
  lrScale: number;
  appliesWeightDecay: boolean;
  weightDecay: number | undefined;
  /** The numbers of the programs that reach it. */
  reached: readonly number[];
}>;

/** A parameter that trains. `rows`: those of a table that the data can name; `shape`: with only these rows. */
export type PlannedParameter = Readonly<{
  parameter: Parameter;
  rows: Int32Array | undefined;
  shape: readonly number[];
  settings: GroupSettings;
}>;

/**
 * A parameter that has a gradient in a program; `dense`: the output with the whole gradient, if it is not rows alone.
 */
export type GradientOf = Readonly<{ parameter: string; dense: string | undefined }>;

/** Options of a plan. */
export type PlanOptions = Readonly<{
  parameters: ReadonlyMap<string, Parameter>;
  /** The gradients of each program. */
  gradients: readonly (readonly GradientOf[])[];
  optimizer: Optimizer;
  backbone: InspectedBackbone;
  /** The ids that the data can contain, sorted, by graph input; absent: all. Inputs of one table share one list. */
  activeRows: ReadonlyMap<string, Int32Array>;
}>;

/**
 * Returns every parameter that has a gradient: those with weight decay first, and those with the same settings
 * together, so that each group is one span.
 */
export function planParameters(options: PlanOptions): readonly PlannedParameter[] {
  const { parameters, optimizer, backbone } = options;
  const names = [...new Set(options.gradients.flat().map((g) => g.parameter))];
  const groups = optimizer.groups?.(names.map((name) => parameters.get(name)?.unqualifiedName ?? name), backbone);
  const planned = names.flatMap((name, i): PlannedParameter[] => {
    const parameter = parameters.get(name);
    return parameter ? [planParameter(parameter, groups?.[i] ?? {}, options)] : [];
  });
  const keys = [...new Set(planned.map((t) => groupKey(t.settings)))];
  return planned.sort((a, b) =>
    Number(b.settings.appliesWeightDecay) - Number(a.settings.appliesWeightDecay) ||
    keys.indexOf(groupKey(a.settings)) - keys.indexOf(groupKey(b.settings))
  );
}

function planParameter(parameter: Parameter, group: ParameterGroup, options: PlanOptions): PlannedParameter {
  const { gradients, optimizer, backbone, activeRows } = options;
  const ofParameter = (g: GradientOf): boolean => g.parameter === parameter.name;
  const reached = gradients.flatMap((outputs, i) => (outputs.some(ofParameter) ? [i] : []));
  const settings = { ...settingsOf(parameter.unqualifiedName, group, backbone.family), reached };
  const active = activeRowsOf(parameter, activeRows);
  // A table is shortened only if its gradient comes as rows alone and its other rows change in closed form.
  const idle = optimizer.decayWithoutGradient?.({ step: 1, learningRate: 1, ...settings, gradientScale: 1 });
  const isDense = gradients.flat().some((g) => ofParameter(g) && g.dense !== undefined);
  const rows = active && !isDense && idle !== undefined ? active : undefined;
  const shape = rows ? [rows.length, ...parameter.shape.slice(1)] : parameter.shape;
  return { parameter, rows, shape, settings };
}

/** Returns the rows of a table that the data can name, if these are known for all inputs that index it. */
function activeRowsOf({ ids }: Parameter, activeRows: PlanOptions["activeRows"]): Int32Array | undefined {
  const lists = new Set(ids.map((name) => activeRows.get(name)));
  const [list] = lists;
  return lists.size === 1 ? list : undefined;
}

function settingsOf(
  name: string,
  { lrScale = 1, learningRate: rate, weightDecay }: ParameterGroup,
  family: FamilyFacts,
): Omit<GroupSettings, "reached"> {
  // A weight decay set for a group applies to its biases, too.
  return { rate, lrScale, appliesWeightDecay: weightDecay === undefined ? decays(name, family) : true, weightDecay };
}

/**
 * Whether weight decay applies: not to biases and norms, by Hugging Face's rule over names, nor to parameters that the
 * family exempts.
 */
function decays(name: string, { noDecay }: Pick<FamilyFacts, "noDecay">): boolean {
  return !/bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/.test(name.toLowerCase()) && !noDecay?.test(name);
}

/** Returns a key that is equal for parameters with the same settings. */
export function groupKey({ rate, lrScale, appliesWeightDecay, weightDecay, reached }: GroupSettings): string {
  return `${appliesWeightDecay} ${rate} ${lrScale} ${weightDecay} ${reached}`;
}

/** Returns a key for the set of programs that reach a parameter. */
export function reachKey({ reached }: GroupSettings): string {
  return reached.join("+");
}

/** Whether one of these programs reaches a parameter. */
export function isReached({ reached }: GroupSettings, programs: ReadonlySet<number>): boolean {
  return reached.some((i) => programs.has(i));
}

/** Returns the elements that a parameter takes in memory, where each begins at a multiple of 64 bytes. */
export function alignedSize(length: number): number {
  return Math.ceil(length / 16) * 16;
}

/** Returns the number of elements of a planned parameter. */
export function plannedSize({ shape }: PlannedParameter): number {
  return sizeOf(shape);
}
