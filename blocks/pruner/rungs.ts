/** Asynchronous successive halving (Li et al. 2018): rungs of ever more steps, each of which only the best pass. */
import type { Study, Trial } from "../../core/types.ts";

/** A ladder of rungs: rung k ends at step `minResource · factor^(rate + k)`. */
export type Ladder = Readonly<{
  minResource: number;
  factor: number;
  rate: number;
  /** So many trials at a rung, or fewer, pass never. */
  bootstrapCount: number;
}>;

/**
 * Whether a trial ends at its last report. `competing`: the trials that it is compared with, itself among them or not; those
 * of smaller numbers went up the ladder before it.
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

/** Takes a trial up the ladder by its reports, recording its value at each rung; whether it ends at the last. */
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
      // A trial that went on has passed, whoever else came since.
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
 * The steps of the first complete trial: what "auto" is reckoned by, so that it stays the same from then on. Undefined before
 * there is one.
 */
export function firstLength({ trials }: Study): Readonly<{ number: number; steps: number }> | undefined {
  const first = [...trials].sort((a, b) => a.number - b.number)
    .find(({ state, values }) => state === "complete" && values.length > 0);
  return first && { number: first.number, steps: first.values.at(-1)?.[0] ?? 0 };
}
