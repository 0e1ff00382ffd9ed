/** Splits trials into good ones and others for TPE. */
import type { Study, Trial } from "../../../core/types.ts";

/** The largest number of good trials. */
const MOST_BELOW = 25;

/** Whether a trial has ended with a result that tells how good it is. */
export function isFinished({ state, value }: Trial): boolean {
  return state === "complete" ? value !== null : state === "pruned";
}

/**
 * Returns the good trials (`below`) and all others, each in order of their numbers: a tenth of the finished ones is
 * good, complete ones before pruned ones. `liar`: running trials count as bad.
 */
export function splitTrials(
  { trials, direction }: Pick<Study, "trials" | "direction">,
  liar: boolean,
): Readonly<{ below: readonly Trial[]; above: readonly Trial[] }> {
  const sign = direction === "maximize" ? -1 : 1;
  const all = [...trials].sort((a, b) => a.number - b.number);
  const complete = all.filter((trial) => trial.state === "complete" && isFinished(trial))
    .sort((a, b) => sign * (Number(a.value) - Number(b.value)));
  const pruned = all.filter(({ state }) => state === "pruned").sort((a, b) => byProgress(a, b, sign));
  const ranked = [...complete, ...pruned];
  const good = new Set(ranked.slice(0, Math.min(Math.ceil(0.1 * ranked.length), MOST_BELOW)));
  const running = ({ state }: Trial): boolean => liar && state === "running";
  return {
    below: all.filter((trial) => good.has(trial)),
    above: all.filter((trial) => !good.has(trial) && (running(trial) || isFinished(trial))),
  };
}

/** Compares pruned trials: later before earlier, better before worse; without a value, then without a report, last. */
function byProgress(a: Trial, b: Trial, sign: number): number {
  const [first, second] = [a.values.at(-1), b.values.at(-1)];
  if (!first || !second) return Number(!first) - Number(!second);
  if (first[0] !== second[0]) return second[0] - first[0];
  if (first[1] === null || second[1] === null) return Number(first[1] === null) - Number(second[1] === null);
  return sign * (first[1] - second[1]);
}
