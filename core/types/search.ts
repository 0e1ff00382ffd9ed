/**
 * Searches over options of a run spec: what is searched, how trials went, who proposes the next one and who ends one
 * early.
 */
import type { AttuneError } from "../base/errors.ts";
import type { Json, Named, Random } from "../base/types.ts";
import type { Plugin } from "./plugin.ts";

/**
 * The values that a searched option may take. `log`: orders of magnitude are as likely as each other. `when`: the
 * values of other options, one or a list of them, with which this one is there.
 */
export type Space =
  | Readonly<{ type: "float"; low: number; high: number; log?: boolean; step?: number; when?: Named<Json> }>
  | Readonly<{ type: "int"; low: number; high: number; log?: boolean; step?: number; when?: Named<Json> }>
  | Readonly<{ type: "categorical"; choices: readonly Json[]; when?: Named<Json> }>;

/** How a trial stands. */
export type TrialState = "running" | "complete" | "pruned" | "failed";

/** One trial. `params`: values by their path in the spec; `values`: what it reported, by step; null is no number. */
export type Trial = Readonly<{
  number: number;
  params: Named<Json>;
  state: TrialState;
  values: readonly (readonly [step: number, value: number | null])[];
  /** The figure that it is judged by; null before its end, and where it has none. */
  value: number | null;
}>;

/** A search and all of its trials so far, by their numbers. */
export type Study = Readonly<{
  name: string;
  space: Named<Space>;
  direction: "minimize" | "maximize";
  trials: readonly Trial[];
}>;

/** What every search is told. */
export type SearchSettings = Readonly<{
  /** What is searched, by the path in the spec. */
  space: Named<Space>;
  /** Trials to make; absent: until the search has no more to propose. */
  trials?: number | undefined;
  /** The seed of the proposals. */
  seed: number;
  /** The figure of an evaluation that trials are judged by. */
  metric: string;
  /** Absent: as the metric says; the loss is minimized. */
  direction?: "minimize" | "maximize" | undefined;
  /** Trials that run at the same time. */
  parallel: number;
  /** Who ends trials early. */
  pruner: Pruner;
  /** What is wrong with a space in a spec; `issuesOf`: what is wrong with a spec; `name`: names the
   * part that a path leads into, where the spec leaves it to its task. It comes with searches, as runs without one need none. */
  wrongSpace(
    spec: Named<Json>,
    space: Named<Space>,
    issuesOf: (spec: Named<Json>) => readonly AttuneError[],
    name: (spec: Named<Json>, path: string) => Named<Json>,
  ): readonly AttuneError[];
}>;

/**
 * Proposes trials. `next` is pure: the next trial's values from all trials so far, running ones too; undefined ends the
 * search.
 */
export interface Search extends Plugin<"search"> {
  readonly settings: SearchSettings;
  next(study: Study, random: Random): Named<Json> | undefined;
}

/**
 * Ends trials early. `prune` is pure, and asked whenever a trial has reported a value: it is the last of
 * `trial.values`.
 */
export interface Pruner extends Plugin<"pruner"> {
  prune(trial: Trial, study: Study): boolean;
}
