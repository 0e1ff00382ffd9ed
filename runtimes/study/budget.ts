/** What a search or folds take before they begin: so many runs, of what one takes. */
import { createRandom } from "../../core/math/random.ts";
import type { Named, Plan, Search, Trial } from "../../core/types.ts";

/** Trials beyond which nobody counts. */
const MOST_COUNTED = 10_000;

/** How many trials a search makes; undefined if that cannot be said. */
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

/** Several runs, and what one takes; absent if that is for others to say: a server plans each job. */
export type Budget = Readonly<{ runs: number | undefined; what: string; plan: Plan | undefined }>;

/** What all of them take together at the most; null if nobody can count them. */
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

/** Lines that say what it takes. */
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

/** A time as people say it. */
function span(seconds: number): string {
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${minutes.toFixed(0)} min` : `${(minutes / 60).toFixed(1)} h`;
}
