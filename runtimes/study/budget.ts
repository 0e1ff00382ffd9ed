/** Budgets of searches and folds: the number of runs, and what one run takes. */
import { createRandom } from "../../core/math/random.ts";
import type { Named, Plan, Search, Trial } from "../../core/types.ts";

/** Number of trials at which counting stops. */
const MOST_COUNTED = 10_000;

/** Returns the number of trials of a search; undefined if it cannot be known. */
export function countTrials({ settings, next }: Search): number | undefined {
  if (settings.trials !== undefined) return settings.trials;
  const trials: Trial[] = [];
  while (trials.length < MOST_COUNTED) {
    const study = { name: "count", space: settings.space, direction: "minimize" as const, trials };
    const params = next(study, createRandom(settings.seed).fork("trial", trials.length));
    if (params === undefined) return trials.length;
    trials.push({ number: trials.length, params, state: "complete", values: [], value: 0 });
  }
  return undefined;
}

/** Several runs, and the plan of one; undefined if a server plans each job. */
export type Budget = Readonly<{ runs: number | undefined; what: string; plan: Plan | undefined }>;

/** Returns the most that all runs take together; null if that cannot be known. */
export function totalsOf({ runs, plan }: Budget): Named<number | null> {
  const times = (n: number | undefined): number | null => (runs === undefined || n === undefined ? null : runs * n);
  return {
    runs: runs ?? null,
    steps: times(plan?.steps),
    tokens: times(plan?.tokens),
    flops: times(plan?.flops),
    seconds: times(plan?.seconds),
  };
}

/** Formats a budget as lines of text. */
export function budgetLines({ runs, what, plan }: Budget): readonly string[] {
  const count = (n: number): string => Math.round(n).toLocaleString("en");
  if (!plan) return [`runs         ${runs === undefined ? `more than ${count(MOST_COUNTED)}` : count(runs)}: ${what}`];
  const each = `${plan.steps === 1 ? "one step" : `${count(plan.steps)} steps`}, ${count(plan.tokens)} tokens, ` +
    `about ${span(plan.seconds)}, ${((plan.bytes.total ?? 0) / 1e6).toFixed(0)} MB`;
  if (runs === undefined) {
    return [`runs         more than ${count(MOST_COUNTED)}: ${what}`, `each         ${each}`];
  }
  return [
    `runs         ${count(runs)}: ${what}`,
    `each         ${each}`,
    `all          ${count(runs * plan.steps)} steps, ${count(runs * plan.tokens)} tokens, about ${
      span(runs * plan.seconds)
    } at most`,
  ];
}

/** Formats a time for people. */
function span(seconds: number): string {
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${minutes.toFixed(0)} min` : `${(minutes / 60).toFixed(1)} h`;
}
