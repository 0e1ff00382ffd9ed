/**
 * A run spec (JSON or objects) to a run: references become plugins, defaults are filled in, and everything that is
 * wrong is reported at once.
 * @module
 */
import { withNamedErrors } from "./named_errors.ts";
import { isPlugin, issuePath, nameOf } from "./define.ts";
import { AttuneError, badSpec, badValue, show, unknownName, unsupported } from "./errors.ts";
import { packagesOf } from "./packages.ts";
import { spelledOut } from "./plain_names.ts";
import { readTrainingArguments } from "./training_arguments.ts";
import type {
  Catalog,
  Entry,
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
} from "./types.ts";

/** Top-level keys: the kind of part they hold, and whether they hold several. */
const parts: Readonly<Record<string, Readonly<{ kind: Kind; several?: boolean; fallback?: Json }>>> = {
  model: { kind: "source" },
  tokenizer: { kind: "tokenizer", fallback: "hf" },
  task: { kind: "objective" },
  collator: { kind: "collator" },
  head: { kind: "head" },
  loss: { kind: "loss" },
  adapter: { kind: "adapter", several: true, fallback: [] },
  optimizer: { kind: "optimizer", fallback: "adamw" },
  schedule: { kind: "schedule", fallback: "linear" },
  regularizers: { kind: "regularizer", several: true, fallback: [] },
  metrics: { kind: "metric", several: true },
  callbacks: { kind: "callback", several: true, fallback: [] },
  loggers: { kind: "logger", several: true, fallback: [] },
  exporters: { kind: "exporter", several: true, fallback: [] },
};
/** Keys that nothing reads yet: they may stand there empty. */
const unread: readonly string[] = ["accelerators", "store", "trainer", "search"];
const otherKeys: readonly string[] = ["version", "name", "data", "training", "plugins"];
/** What an editor reads, and what a run has written beside its spec. */
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
  const issues: AttuneError[] = [];
  if (typeof spec !== "object" || spec === null || Array.isArray(spec)) {
    throw badSpec([badValue("spec", "spec", spec, "an object")]);
  }
  const allowed = [...otherKeys, ...Object.keys(parts)];
  for (const key of Object.keys(spec)) {
    if (unread.includes(key)) {
      const value = (spec as Readonly<Record<string, unknown>>)[key];
      const empty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
      if (!empty) issues.push(unsupported("spec", key, value, "nothing reads it yet"));
    } else if (!allowed.includes(key) && !notedKeys.includes(key)) {
      issues.push(unknownName("spec", key, "key", key, allowed));
    }
  }
  const given = spec as Readonly<Record<string, unknown>>;
  if (given.version !== 1) issues.push(badValue("spec", "version", given.version, "1"));
  if (given.name !== undefined && (typeof given.name !== "string" || !/^[\w][\w.-]{0,127}$/.test(given.name))) {
    issues.push(badValue("spec", "name", given.name, "letters, digits, dots, dashes and underscores"));
  }
  issues.push(...packagesMissing(given.plugins, catalog));
  for (const key of ["model", "task"]) {
    if (given[key] === undefined) issues.push(badValue("spec", key, undefined, "a value"));
  }

  issues.push(...wrongNotes(given));

  const made: Record<string, Plugin[]> = {};
  for (const [key, { kind, several, fallback }] of Object.entries(parts)) {
    const value = given[key] ?? fallback;
    if (value === undefined) continue;
    const list = Array.isArray(value) ? value : [value];
    if (Array.isArray(value) && !several) issues.push(badValue("spec", key, value, "one plugin"));
    const paths = list.map((_, i) => (Array.isArray(value) ? `${key}.${i}` : key));
    made[key] = list.flatMap((part, i) => resolve(kind, part, paths[i] ?? key, catalog, issues) ?? []);
  }
  const data: { train?: Kinds["dataset"]; eval?: Kinds["dataset"] } = {};
  if (typeof given.data === "object" && given.data !== null) {
    for (const [key, part] of Object.entries(given.data)) {
      if (key !== "train" && key !== "eval") {
        issues.push(unknownName("spec", `data.${key}`, "key", key, ["train", "eval"]));
        continue;
      }
      const dataset = resolve("dataset", part, `data.${key}`, catalog, issues);
      if (dataset) data[key] = dataset;
    }
  } else if (given.data !== undefined) {
    issues.push(badValue("spec", "data", given.data, "an object with train and eval"));
  }
  const objective = made.task?.[0] as Kinds["objective"] | undefined;
  const several = objective?.tasks.some((task) => task.name !== "") ?? false;
  if (several) {
    for (const key of ["data", "collator", "head", "loss", "metrics"]) {
      if (given[key] === undefined) continue;
      issues.push(unsupported("spec", key, given[key], `each task of "${objective?.name}" has its own`));
    }
  } else if (given.data === undefined && (objective || given.task === undefined)) {
    issues.push(badValue("spec", "data", undefined, "a value"));
  }
  const { training, issues: wrong } = readTrainingArguments(given.training);
  issues.push(...wrong);
  if (training.padding === "max_length" && training.maxLength === null) {
    issues.push(badValue("spec", "training.maxLength", null, 'a length, where training.padding is "max_length"'));
  }
  const evaluated = several
    ? objective?.tasks.some((task) => task.data?.eval !== undefined)
    : "eval" in Object(given.data);
  const callbacks = (made.callbacks ?? []) as unknown as Kinds["callback"][];
  issues.push(...withoutEvaluation(training, evaluated ?? true, callbacks));

  const use = <K extends Kind>(kind: K, part: Use<K>): Kinds[K] => {
    const found: AttuneError[] = [];
    const plugin = resolve(kind, part, kind, catalog, found);
    if (!plugin) throw badSpec(found);
    return plugin;
  };
  // The parts that the task names by default must be there, too; better to know now than at step one.
  for (const task of objective?.tasks ?? []) {
    for (const part of task.heads) resolve("head", part, "task.head", catalog, issues);
    for (const { loss } of task.losses) resolve("loss", loss, "task.loss", catalog, issues);
    resolve("collator", task.collator, "task.collator", catalog, issues);
    for (const metric of task.metrics) resolve("metric", metric, "task.metrics", catalog, issues);
  }
  if (issues.length > 0) throw badSpec(issues);
  const one = <K extends Kind>(key: string, _kind: K): Kinds[K] => made[key]?.[0] as unknown as Kinds[K];
  const all = <K extends Kind>(key: string, _kind: K): readonly Kinds[K][] =>
    (made[key] ?? []) as unknown as readonly Kinds[K][];
  return {
    spec,
    name: spec.name ?? "run",
    catalog,
    training,
    source: one("model", "source"),
    tokenizer: one("tokenizer", "tokenizer"),
    objective: one("task", "objective"),
    data,
    adapters: all("adapter", "adapter"),
    optimizer: one("optimizer", "optimizer"),
    schedule: one("schedule", "schedule"),
    regularizers: all("regularizers", "regularizer"),
    metrics: all("metrics", "metric"),
    callbacks: all("callbacks", "callback"),
    loggers: all("loggers", "logger"),
    exporters: all("exporters", "exporter"),
    use,
  };
}

/** Packages that a spec names and its catalog was not extended with: composing imports nothing. */
function packagesMissing(named: unknown, catalog: Catalog): AttuneError[] {
  if (named === undefined) return [];
  if (!Array.isArray(named) || named.some((name) => typeof name !== "string" || name === "")) {
    return [badValue("spec", "plugins", named, "a list of packages' names")];
  }
  const there = packagesOf(catalog);
  return named.flatMap((name, i) => {
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

/** A run as JSON with every default filled in. Throws AttuneError where a plugin's options are not JSON. */
export function toSpec(run: Run): Json {
  const reference = (plugin: Plugin): Json => ({ use: plugin.name, with: jsonOf(plugin.options, plugin.name) });
  const spec: Record<string, Json> = {
    version: 1,
    name: run.name,
    ...(run.spec.plugins?.length ? { plugins: run.spec.plugins } : {}),
    model: reference(run.source),
    tokenizer: reference(run.tokenizer),
    task: reference(run.objective),
    ...(run.spec.data === undefined
      ? {}
      : { data: Object.fromEntries(Object.entries(run.data).map(([key, dataset]) => [key, reference(dataset)])) }),
    adapter: run.adapters.map(reference),
    optimizer: reference(run.optimizer),
    schedule: reference(run.schedule),
    regularizers: run.regularizers.map(reference),
    ...(run.spec.metrics === undefined ? {} : { metrics: run.metrics.map(reference) }),
    callbacks: run.callbacks.map(reference),
    loggers: run.loggers.map(reference),
    exporters: run.exporters.map(reference),
    training: { ...run.training },
  };
  for (const key of ["collator", "head", "loss"] as const) {
    const part = run.spec[key];
    if (part !== undefined) spec[key] = reference(run.use(key, part as never) as Plugin);
  }
  return spec;
}

function wrongNotes({ $schema, versions, fingerprints }: Readonly<Record<string, unknown>>): AttuneError[] {
  const isNamed = (value: unknown): boolean =>
    typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === "string");
  const issue = (right: boolean, path: string, found: unknown, allowed: string): AttuneError[] =>
    found === undefined || right ? [] : [badValue("spec", path, found, allowed)];
  return [
    ...issue(typeof $schema === "string", "$schema", $schema, "where the schema is"),
    ...issue(isNamed(versions), "versions", versions, "the versions that a run has written"),
    ...issue(isNamed(fingerprints), "fingerprints", fingerprints, "the fingerprints that a run has written"),
  ];
}

/** What of a run waits for evaluations that it does not have. */
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
    ...callbacks.flatMap(({ name, judges }, i) =>
      issue(never && judges !== undefined, `callbacks.${i}`, name, `no callback that judges evaluations, ${where}`)
    ),
  ];
}

function resolve<K extends Kind>(
  kind: K,
  part: unknown,
  path: string,
  catalog: Catalog,
  issues: AttuneError[],
): Kinds[K] | undefined {
  if (isPlugin(kind)(part)) return withNamedErrors(part);
  const reference = typeof part === "string" ? spelledOut(kind, part) : part;
  if (
    typeof reference !== "object" || reference === null || !("use" in reference) || typeof reference.use !== "string"
  ) {
    issues.push(badValue("spec", path, part, `a ${kind}: a name, or { "use": name, "with": options }`));
    return undefined;
  }
  for (const key of Object.keys(reference)) {
    if (key !== "use" && key !== "with") {
      issues.push(unknownName("spec", `${path}.${key}`, "key", key, ["use", "with"]));
    }
  }
  const entries: Named<Entry<K>> = (catalog[kind] ?? {}) as Named<Entry<K>>;
  const entry = Object.hasOwn(entries, reference.use) ? entries[reference.use] : undefined;
  if (!entry) {
    issues.push(unknownName("spec", path, kind, reference.use, Object.keys(entries)));
    return undefined;
  }
  let options: unknown = "with" in reference ? reference.with : {};
  for (const [pattern, partKind] of Object.entries(entry.parts)) {
    options = replaceAt(
      options,
      pattern.split("."),
      `${path}.with`,
      (inner, at) =>
        Array.isArray(inner)
          ? inner.map((one, i) => resolve(partKind, one, `${at}.${i}`, catalog, issues) ?? one)
          : resolve(partKind, inner, at, catalog, issues) ?? inner,
    );
  }
  const result = entry.parse(options);
  if (!result.issues) return withNamedErrors(result.value);
  for (const issue of result.issues) {
    const at = issuePath(issue.path);
    const where = `${path}.with${at ? `.${at}` : ""}`;
    const found = valueAt(options, at);
    const allowed = optionNames(entry);
    // A strict schema says of a key it does not know only that it expected none.
    if (allowed && found === undefined && issue.message.startsWith("Invalid key: Expected")) {
      const details = { code: "MISSING", plugin: "spec", path: where, allowed };
      issues.push(new AttuneError(`${where} is missing: "${entry.use}" cannot do without it`, details));
    } else if (allowed && issue.message.includes("Expected never")) {
      issues.push(unknownName("spec", where, "option", at.split(".").at(-1) ?? "", allowed));
    } else {
      const details = { code: "BAD_OPTION", plugin: "spec", path: where, found };
      issues.push(new AttuneError(`${where}: ${issue.message}, found ${show(found)}`, details));
    }
  }
  return undefined;
}
/** The names of a plugin's options, where its schema is an object's (valibot's, possibly inside a pipe). */
function optionNames(entry: Entry): string[] | undefined {
  const schema = entry.schema as { entries?: object; pipe?: readonly { entries?: object }[] };
  const entries = schema.entries ?? schema.pipe?.[0]?.entries;
  return entries && Object.keys(entries);
}

function valueAt(options: unknown, path: string): unknown {
  let value = options;
  for (const key of path.split(".")) {
    if (key === "") continue;
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value;
}

/** A copy with the values at a pattern ("tasks.*.task") replaced. */
function replaceAt(
  value: unknown,
  pattern: readonly string[],
  path: string,
  replace: (value: unknown, path: string) => unknown,
): unknown {
  const [head, ...rest] = pattern;
  if (head === undefined) return replace(value, path);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return head === "*" ? value.map((item, i) => replaceAt(item, rest, `${path}.${i}`, replace)) : value;
  }
  const copy: Record<string, unknown> = { ...value };
  for (const key of head === "*" ? Object.keys(copy) : [head]) {
    if (copy[key] !== undefined) copy[key] = replaceAt(copy[key], rest, `${path}.${key}`, replace);
  }
  return copy;
}

function jsonOf(options: object, plugin: string): Json {
  const convert = (value: unknown): Json => {
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number") return value;
    if (Array.isArray(value)) return value.map(convert);
    if (typeof value === "object") {
      if ("kind" in value && "name" in value && "options" in value) {
        return { use: nameOf(value), with: convert(value.options) };
      }
      return Object.fromEntries(
        Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, convert(v)]),
      );
    }
    throw badValue(plugin, "options", value, "JSON (a run with other values cannot be written down)");
  };
  return convert(options);
}
