/** Asynchronous successive halving (Li et al. 2018): rungs at growing numbers of steps, which only the best pass. */
import type { Study, Trial } from "../../core/types.ts";

/** A ladder of rungs: rung k ends at step `minResource · factor^(rate + k)`. */
export type Ladder = Readonly<{
  minResource: number;
  factor: number;
  rate: number;
  /** A rung with this many trials or fewer lets none pass. */
  bootstrapCount: number;
}>;

/**
 * Whether a trial ends at its last report. `competing`: the trials to compare with (it may include the trial itself);
 * those with smaller numbers climbed the ladder earlier.
 */
export function endsAtRung(trial: Trial, competing: readonly Trial[], study: Study, ladder: Ladder): boolean {
  const sign = study.direction === "maximize" ? -1 : 1;
  const recorded: number[][] = [];
  const others = competing.filter(({ number }) => number !== trial.number).sort((a, b) => a.number - b.number);
  const earlier = others.filter(({ number }) => number < trial.number);
  const later = others.filter(({ number }) => number > trial.number);
  for (const other of [...earlier, ...later]) climb(other, recorded, sign, ladder);
  return climb(trial, recorded, sign, ladder);
}

/** Moves a trial up the ladder, recording its value at each rung; returns whether it ends at its last report. */
function climb({ values }: Trial, recorded: number[][], sign: number, ladder: Ladder): boolean {
  let rung = 0;
  for (const [i, [step, value]] of values.entries()) {
    while (step >= ladder.minResource * ladder.factor ** (ladder.rate + rung)) {
      const isLast = i === values.length - 1;
      if (value === null || Number.isNaN(value)) {
        if (isLast) return true;
        break;
      }
      const there = recorded[rung] ??= [];
      there.push(sign * value);
      // A trial that went on has passed, whatever others reported since.
      if (isLast && !passes(sign * value, there, ladder)) return true;
      rung++;
    }
  }
  return false;
}

function passes(loss: number, there: readonly number[], { factor, bootstrapCount }: Ladder): boolean {
  if (there.length <= bootstrapCount) return false;
  const sorted = [...there].sort((a, b) => a - b);
  const most = Math.max(1, Math.floor(sorted.length / factor));
  return loss <= (sorted[most - 1] ?? Infinity);
}

/**
 * Returns the number of steps of the first complete trial, on which "auto" is based so that it stays constant
 * afterwards; undefined before there is one.
 */
export function firstLength({ trials }: Study): Readonly<{ number: number; steps: number }> | undefined {
  const first = [...trials].sort((a, b) => a.number - b.number)
    .find(({ state, values }) => state === "complete" && values.length > 0);
  return first && { number: first.number, steps: first.values.at(-1)?.[0] ?? 0 };
}
