/** Conversion of a run back to a complete spec. */
import { nameOf } from "./define.ts";
import { badValue } from "../base/errors.ts";
import { replaceAt } from "./roles.ts";
import type { Dataset, Json, Plugin, Run } from "../types.ts";
import { withoutHalfPrecision } from "./half_precision.ts";
import { splitNames } from "./run_data.ts";

/**
 * Returns a run as JSON with every default filled in. Secrets are left out, unless they name an environment variable.
 * Throws AttuneError if a plugin's options are not JSON.
 */
export function toSpec(run: Run): Json {
  const spec: Record<string, Json> = {
    version: 1,
    name: run.name,
    ...(run.spec.plugins?.length ? { plugins: run.spec.plugins } : {}),
    model: reference(run.model),
    tokenizer: reference(run.tokenizer),
    task: reference(run.task),
    ...(run.spec.data === undefined ? {} : { data: dataAsGiven(run) }),
    adapter: run.adapters.map(reference),
    optimizer: reference(run.optimizer),
    schedule: reference(run.schedule),
    regularizers: run.regularizers.map(reference),
    ...(run.accelerators.length === 0 ? {} : { accelerators: run.accelerators.map(reference) }),
    ...(run.spec.metrics === undefined ? {} : { metrics: run.metrics.map(reference) }),
    callbacks: run.callbacks.map(reference),
    loggers: run.loggers.map(reference),
    exporters: run.exporters.map(reference),
    training: withoutHalfPrecision(run.training),
    ...(run.search ? { search: reference(run.search) } : {}),
  };
  for (const key of ["collator", "head", "loss"] as const) {
    const part = run.spec[key];
    if (part !== undefined) spec[key] = reference(run.use(key, part as never) as Plugin);
  }
  return spec;
}

/** Returns the data sets that a spec names, without those that a transform splits off. */
function dataAsGiven({ spec, data }: Run): Json {
  const splits = splitNames.filter((name) => spec.data?.[name] !== undefined);
  const { leakThreshold } = spec.data ?? {};
  return {
    ...Object.fromEntries(splits.flatMap((name) => (data[name] ? [[name, reference(data[name])]] : []))),
    ...(leakThreshold === undefined ? {} : { leakThreshold }),
  };
}

/** Returns a plugin as a spec references it. Throws AttuneError if JSON cannot represent its options. */
export function reference(plugin: Plugin): Json {
  const { transforms = [] } = plugin.kind === "data" ? (plugin as Dataset).transformed ?? {} : {};
  return {
    use: nameOf(plugin),
    with: jsonOf(plugin),
    ...(transforms.length > 0 ? { transforms: transforms.map(reference) } : {}),
  };
}

/** Returns a plugin's options as JSON. */
function jsonOf({ options, name, roles = {} }: Plugin): Json {
  const convert = (value: unknown): Json => {
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number") return value;
    if (Array.isArray(value)) return value.map(convert);
    if (typeof value === "object") {
      if ("kind" in value && "name" in value && "options" in value) {
        return reference(value as Plugin);
      }
      return Object.fromEntries(
        Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, convert(v)]),
      );
    }
    throw badValue(name, "options", value, "JSON (other values cannot be written to a spec)");
  };
  const secrets = Object.entries(roles).filter(([, { role }]) => role === "secret");
  return secrets.reduce<Json>(
    (json, [path]) => replaceAt(json, path, "", (value) => (typeof value === "string" ? undefined : value)) as Json,
    convert(options),
  );
}
