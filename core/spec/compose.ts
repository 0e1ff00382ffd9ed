/**
 * Composition of a run from a spec (JSON or objects): references become plugins, defaults are filled in, and all errors
 * are reported at once.
 */
import { isObject } from "../base/json.ts";
import { AttuneError, badSpec, badValue, show, unknownName, unsupported } from "../base/errors.ts";
import { withHalfPrecision } from "./half_precision.ts";
import { findArchitecture, loaderOf } from "./loader.ts";
import { packagesOf } from "./packages.ts";
import { resolvePart, type Resolver } from "./resolve_part.ts";
import { placeIssue, wrongAccelerators } from "./wrong_accelerators.ts";
import { partNamer } from "./default_parts.ts";
import { specParts } from "./spec_parts.ts";
import { readTrainingArguments } from "./training_arguments.ts";
import { dataInRun, type DataSplits, hasSplit, splitData, splitNames } from "./run_data.ts";
import type {
  Catalog,
  Json,
  Kind,
  Kinds,
  Named,
  Plugin,
  Run,
  RunSpec,
  TrainingArguments,
  TypedSpec,
  Use,
} from "../types.ts";

/** Top-level keys that hold plugins; `data` has keys of its own. */
const parts = Object.fromEntries(Object.entries(specParts).filter(([path]) => !path.includes(".")));
/** Keys that nothing reads yet: they are allowed if empty. */
const unread: readonly string[] = ["store", "trainer"];
const otherKeys: readonly string[] = ["version", "name", "data", "training", "plugins"];
/** Keys that only editors read, or that a run has added to its spec. */
const notedKeys: readonly string[] = ["$schema", "versions", "fingerprints"];

/**
 * Composes a run.
 *
 * @throws AttuneError (`BAD_SPEC`) that lists every error of the spec.
 * @example
 * ```ts
 * import { compose } from "attune";
 * import { catalog } from "attune/catalog";
 * const run = compose({
 *   version: 1,
 *   model: { use: "pretrained", with: { path: "./model" } },
 *   task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
 *   data: { train: { use: "memory", with: { rows: [{ text: "fine", label: "good" }] } } },
 * }, catalog);
 * console.assert(run.training.learningRate === 5e-5);
 * ```
 */
export function compose<const S extends RunSpec, C extends Catalog>(typed: S & TypedSpec<S, C>, catalog: C): Run {
  const spec: RunSpec = typed;
  if (typeof spec !== "object" || spec === null || Array.isArray(spec)) {
    throw badSpec([badValue("spec", "spec", spec, "an object")]);
  }
  const inputs = spec as GivenInputs;
  const resolver: Resolver = { catalog, issues: [] };
  const { issues } = resolver;
  issues.push(...wrongKeys(inputs), ...wrongHead(inputs), ...packagesMissing(inputs.plugins, catalog));
  for (const key of ["model", "task"]) {
    if (inputs[key] === undefined) issues.push(badValue("spec", key, undefined, "a value"));
  }
  issues.push(...wrongNotes(inputs));
  const parts = resolveParts(inputs, resolver);
  const data = resolveData(inputs, resolver);
  const objective = parts.task?.[0] as Kinds["task"] | undefined;
  issues.push(...wrongTasks(inputs, objective));
  const { training, issues: wrong } = readTrainingArguments(inputs.training);
  issues.push(...wrong);
  const accelerators = withHalfPrecision(parts.accelerators ?? [], training, resolver);
  if (training.padding === "max_length" && training.maxLength === null) {
    issues.push(badValue("spec", "training.maxLength", null, 'a length, because training.padding is "max_length"'));
  }
  const callbacks = (parts.callbacks ?? []) as unknown as Kinds["callback"][];
  issues.push(...withoutEvaluation(training, isEvaluated(data, objective), callbacks));
  issues.push(
    ...wrongAccelerators(accelerators as unknown as Kinds["accelerator"][], isAdapted(parts, inputs.adapter)),
  );
  resolveTasks(objective, resolver);
  const search = parts.search?.[0] as Kinds["search"] | undefined;
  if (search) {
    const { wrongSpace, space } = search.settings;
    issues.push(...wrongSpace(inputs as Named<Json>, space, (one) => wrongIn(one, catalog), partNamer(catalog)));
  }
  if (issues.length > 0) throw badSpec(issues.map(placeIssue));
  return assemble({ spec, catalog, training, data, plugins: { ...parts, accelerators } });
}

/** Returns the errors of a spec. */
function wrongIn(spec: Named<Json>, catalog: Catalog): readonly AttuneError[] {
  try {
    compose(spec as unknown as RunSpec, catalog);
    return [];
  } catch (error) {
    if (error instanceof AttuneError && error.code === "BAD_SPEC") return error.found as readonly AttuneError[];
    throw error;
  }
}

/** A spec as given, before validation. */
type GivenInputs = Readonly<Record<string, unknown>>;

/** Plugins by the spec's key. */
type Made = Readonly<Record<string, readonly Plugin[]>>;

function wrongKeys(inputs: GivenInputs): AttuneError[] {
  const allowed = [...otherKeys, ...Object.keys(parts)];
  return Object.entries(inputs).flatMap(([key, value]) => {
    if (unread.includes(key)) {
      const empty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
      return empty ? [] : [unsupported("spec", key, value, "nothing reads it yet")];
    }
    return allowed.includes(key) || notedKeys.includes(key) ? [] : [unknownName("spec", key, "key", key, allowed)];
  });
}

function wrongHead({ version, name }: GivenInputs): AttuneError[] {
  const issues: AttuneError[] = [];
  if (version !== 1) issues.push(badValue("spec", "version", version, "1"));
  if (name !== undefined && (typeof name !== "string" || !/^[\w][\w.-]{0,127}$/.test(name))) {
    issues.push(badValue("spec", "name", name, "letters, digits, dots, dashes and underscores"));
  }
  return issues;
}

/** Resolves the plugins of a spec, including defaults. */
function resolveParts(inputs: GivenInputs, resolver: Resolver): Made {
  const plugins: Record<string, Plugin[]> = {};
  for (const [key, { kind, several, fallback }] of Object.entries(parts)) {
    const value = inputs[key] ?? fallback;
    if (value === undefined) continue;
    const list = Array.isArray(value) ? value : [value];
    if (Array.isArray(value) && !several) resolver.issues.push(badValue("spec", key, value, "one plugin"));
    const paths = list.map((_, i) => (Array.isArray(value) ? `${key}.${i}` : key));
    plugins[key] = list.flatMap((part, i) => resolvePart(kind, part, paths[i] ?? key, resolver) ?? []);
  }
  return plugins;
}

function resolveData(inputs: GivenInputs, resolver: Resolver): DataSplits {
  const data: DataSplits = {};
  if (typeof inputs.data === "object" && inputs.data !== null) {
    for (const [key, part] of Object.entries(inputs.data)) {
      const split = splitNames.find((name) => name === key);
      if (key === "leakThreshold") {
        if (typeof part === "number" && part >= 0 && part <= 1) continue;
        resolver.issues.push(badValue("spec", `data.${key}`, part, "a share from 0 to 1"));
        continue;
      }
      if (!split) {
        resolver.issues.push(unknownName("spec", `data.${key}`, "key", key, [...splitNames, "leakThreshold"]));
        continue;
      }
      const dataset = resolvePart("data", part, `data.${key}`, resolver);
      if (dataset) data[split] = dataset;
    }
  } else if (inputs.data !== undefined) {
    resolver.issues.push(badValue("spec", "data", inputs.data, "an object with train, eval and test"));
  }
  return splitData(data, "data", resolver.issues);
}

function isSeveral(objective: Kinds["task"] | undefined): boolean {
  return objective?.subtasks.some((task) => task.name !== "") ?? false;
}

/** Whether the run or one of its tasks has an adapter, even an invalid one, which is reported elsewhere. */
function isAdapted({ adapter, task }: Made, value: unknown): boolean {
  const objective = task?.[0] as Kinds["task"] | undefined;
  const none = adapter === undefined || adapter.length === 0;
  return !none || [value ?? []].flat().length > 0 ||
    (objective?.subtasks.some((one) => (one.adapters ?? []).length > 0) ?? false);
}

/** Returns errors on keys that each of several tasks must have itself, and on what a single task lacks. */
function wrongTasks(inputs: GivenInputs, objective: Kinds["task"] | undefined): AttuneError[] {
  if (isSeveral(objective)) {
    return ["data", "collator", "head", "loss", "metrics"].flatMap((key) =>
      inputs[key] === undefined
        ? []
        : [unsupported("spec", key, inputs[key], `each task of "${objective?.name}" has its own`)]
    );
  }
  const isMissing = inputs.data === undefined && (objective || inputs.task === undefined);
  return isMissing ? [badValue("spec", "data", undefined, "a value")] : [];
}

/** Whether there are rows to evaluate on. */
function isEvaluated(data: DataSplits, objective: Kinds["task"] | undefined): boolean {
  if (!isSeveral(objective)) return data.eval !== undefined;
  return objective?.subtasks.some((task) => hasSplit(task.data, "eval")) ?? true;
}

/** Resolves the default parts of tasks as well, so that errors in them show before step one. */
function resolveTasks(objective: Kinds["task"] | undefined, resolver: Resolver): void {
  for (const task of objective?.subtasks ?? []) {
    for (const part of task.heads) resolvePart("head", part, "task.head", resolver);
    for (const { loss } of task.losses) resolvePart("loss", loss, "task.loss", resolver);
    resolvePart("collator", task.collator, "task.collator", resolver);
    for (const metric of task.metrics) resolvePart("metric", metric, "task.metrics", resolver);
  }
}

/** Assembles a run from its resolved parts. */
function assemble(
  { spec, catalog, training, data, plugins }: Pick<Run, "spec" | "catalog" | "training" | "data"> & {
    plugins: Made;
  },
): Run {
  const one = <K extends Kind>(key: string, _kind: K): Kinds[K] => plugins[key]?.[0] as unknown as Kinds[K];
  const all = <K extends Kind>(key: string, _kind: K): readonly Kinds[K][] =>
    (plugins[key] ?? []) as unknown as readonly Kinds[K][];
  const run: Run = {
    spec,
    name: spec.name ?? "run",
    catalog,
    training,
    model: one("model", "model"),
    tokenizer: one("tokenizer", "tokenizer"),
    task: one("task", "task"),
    data,
    adapters: all("adapter", "adapter"),
    optimizer: one("optimizer", "optimizer"),
    schedule: one("schedule", "schedule"),
    regularizers: all("regularizers", "regularizer"),
    accelerators: all("accelerators", "accelerator"),
    metrics: all("metrics", "metric"),
    callbacks: all("callbacks", "callback"),
    loggers: all("loggers", "logger"),
    exporters: all("exporters", "exporter"),
    search: one("search", "search"),
    architectureFor: (modelType) => findArchitecture(loaderOf(catalog), modelType),
    composeOther: async (other) => await Promise.resolve(compose(other, catalog)),
    use: <K extends Kind>(kind: K, part: Use<K>): Kinds[K] => {
      const issues: AttuneError[] = [];
      const plugin = resolvePart(kind, part, kind, { catalog, issues });
      if (!plugin) throw badSpec(issues);
      return plugin;
    },
  };
  return { ...run, data: dataInRun(data, run, collatorOf(run)) };
}

/** Returns the collator of a run with one task, which knows the columns that are read. */
function collatorOf({ spec, task, use }: Run): Kinds["collator"] | undefined {
  const [subtask, ...others] = task.subtasks;
  return subtask && others.length === 0 ? use("collator", spec.collator ?? subtask.collator) : undefined;
}

/** Returns errors on packages that the catalog was not extended with, since composing imports nothing. */
function packagesMissing(packages: unknown, catalog: Catalog): AttuneError[] {
  if (packages === undefined) return [];
  if (!Array.isArray(packages) || packages.some((name) => typeof name !== "string" || name === "")) {
    return [badValue("spec", "plugins", packages, "a list of package names")];
  }
  const there = packagesOf(catalog);
  return packages.flatMap((name, i) => {
    if (there.includes(name)) return [];
    const how =
      "the command line loads it; in TypeScript, `compose(spec, await catalogFor(spec, folder))` of attune/plugins";
    return [
      new AttuneError(`plugins.${i}: ${show(name)} is not loaded: ${how}`, {
        code: "MISSING",
        plugin: "spec",
        path: `plugins.${i}`,
        found: name,
        allowed: there,
      }),
    ];
  });
}

function wrongNotes({ $schema, versions, fingerprints }: Readonly<Record<string, unknown>>): AttuneError[] {
  const isNamed = (value: unknown): boolean =>
    isObject(value) && Object.values(value).every((one) => typeof one === "string");
  const issue = (right: boolean, path: string, value: unknown, allowed: string): AttuneError[] =>
    value === undefined || right ? [] : [badValue("spec", path, value, allowed)];
  return [
    ...issue(typeof $schema === "string", "$schema", $schema, "where the schema is"),
    ...issue(isNamed(versions), "versions", versions, "the versions that a run has written"),
    ...issue(isNamed(fingerprints), "fingerprints", fingerprints, "the fingerprints that a run has written"),
  ];
}

/** Returns errors on parts of a run that need evaluations, if it has none. */
function withoutEvaluation(
  { evalStrategy, evalOnStart, loadBestModelAtEnd, saveStrategy }: TrainingArguments,
  rows: boolean,
  callbacks: readonly Kinds["callback"][],
): AttuneError[] {
  const never = evalStrategy === "no";
  const issue = (wrong: boolean, path: string, found: unknown, allowed: string): AttuneError[] =>
    wrong ? [badValue("spec", path, found, allowed)] : [];
  const where = 'where training.evalStrategy is "no"';
  return [
    ...issue(!never && !rows, "training.evalStrategy", evalStrategy, '"no", where there is no data.eval'),
    ...issue(evalOnStart && !rows, "training.evalOnStart", evalOnStart, "false, where there is no data.eval"),
    ...issue(never && loadBestModelAtEnd, "training.loadBestModelAtEnd", true, `false, ${where}`),
    ...issue(never && saveStrategy === "best", "training.saveStrategy", "best", `another one, ${where}`),
    ...callbacks.flatMap(({ name, needsEvaluation: judges }, i) =>
      issue(never && judges !== undefined, `callbacks.${i}`, name, `no callback that judges evaluations, ${where}`)
    ),
  ];
}
