/** Options of searches. */
import * as v from "valibot";
import { wrongSpace } from "../../core/spec/search_space.ts";
import type { Json, Named, Pruner, SearchSettings, Space } from "../../core/types.ts";
import { pluginOption } from "../options/mod.ts";

/** Options of every search, in the form that specs have. */
export interface SearchOptions {
  /**
   * The search space, by path in the spec: `{ "type": "float" | "int", "low", "high", "log", "step" }` or `{ "type":
   * "categorical", "choices": [...] }`; with `when`, only together with those values of other options.
   */
  readonly space: Named<Space>;
  /** The number of trials. */
  readonly trials: number;
  /** The seed of the proposals. */
  readonly seed: number;
  /** The figure to optimize, a key of metrics.json. */
  readonly metric: string;
  /** Whether smaller or larger is better; absent: as the metric says. */
  readonly direction?: "minimize" | "maximize" | undefined;
  /** Trials that run at the same time. */
  readonly parallel: number;
  /** The pruner, which ends hopeless trials early. */
  readonly pruner: Pruner;
}

/** {@link SearchOptions} as given, with optional fields. */
export type SearchInput = Readonly<
  Partial<Omit<SearchOptions, "space" | "pruner">> & { space: Named<Space>; pruner?: unknown }
>;

const json = v.custom<Json>((value) => value !== undefined, "any value of JSON");
const when = v.optional(v.record(v.string(), json));
const log = v.optional(v.boolean(), false);
const count = v.pipe(v.number(), v.integer(), v.minValue(1));

const space = v.pipe(
  v.variant("type", [
    v.strictObject({
      type: v.literal("float"),
      low: v.pipe(v.number(), v.finite()),
      high: v.pipe(v.number(), v.finite()),
      log,
      step: v.optional(v.pipe(v.number(), v.gtValue(0))),
      when,
    }),
    v.strictObject({
      type: v.literal("int"),
      low: v.pipe(v.number(), v.integer()),
      high: v.pipe(v.number(), v.integer()),
      log,
      step: v.optional(count),
      when,
    }),
    v.strictObject({ type: v.literal("categorical"), choices: v.pipe(v.array(json), v.minLength(1)), when }),
  ]),
  v.check(
    (range) => problemOf(range as Space) === undefined,
    ({ input }) => `Invalid range: ${problemOf(input as Space)}`,
  ),
) as unknown as v.GenericSchema<Space>;

/** Returns what is wrong with a range; undefined if nothing is. */
function problemOf(space: Space): string | undefined {
  if (space.type === "categorical") return undefined;
  const { type, low, high, log, step } = space;
  if (low > high) return "low must not be above high";
  if (log && low <= 0) return "with log, low must be above 0";
  if (log && step !== undefined && !(type === "int" && step === 1)) return "log and step exclude each other";
  return step !== undefined && high > low && step > (high - low) * (1 + 1e-9)
    ? "step must not be larger than the range"
    : undefined;
}

/** Schema entries of {@link SearchOptions}, without `trials`, whose default depends on the plugin. */
export const searchOptions: Readonly<{
  space: v.GenericSchema<Named<Space>>;
  seed: v.OptionalSchema<v.GenericSchema<number>, 42>;
  metric: v.OptionalSchema<v.GenericSchema<string>, "loss">;
  direction: v.OptionalSchema<v.GenericSchema<"minimize" | "maximize">, undefined>;
  parallel: v.OptionalSchema<v.GenericSchema<number>, 1>;
  pruner: v.OptionalSchema<v.GenericSchema<unknown, Pruner>, undefined>;
}> = {
  space: v.pipe(
    v.record(v.string(), space),
    v.check((space) => Object.keys(space).length > 0, "Invalid space: it has no options"),
  ),
  seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 42),
  metric: v.optional(v.pipe(v.string(), v.nonEmpty()), "loss"),
  direction: v.optional(v.picklist(["minimize", "maximize"])),
  parallel: v.optional(count, 1),
  pruner: v.optional(pluginOption("pruner", "a pruner")),
};

/** Schema of {@link SearchOptions}' field `trials`. */
export const trialsOption: v.OptionalSchema<v.GenericSchema<number>, 20> = v.optional(count, 20);

/** A pruner that ends no trial early. */
const never: Pruner = { kind: "pruner", name: "none", options: {}, prune: () => false };

/** Returns the settings that every search shares, from its options. */
export function settingsOf(
  { space, trials, seed, metric, direction, parallel, pruner = never }: Omit<SearchOptions, "trials" | "pruner"> & {
    readonly trials?: number | undefined;
    readonly pruner?: Pruner | undefined;
  },
): SearchSettings {
  return { space, trials, seed, metric, direction, parallel, pruner, wrongSpace };
}
