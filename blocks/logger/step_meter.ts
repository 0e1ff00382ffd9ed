/** Training speed and smoothed loss. */

/** Meter of training speed. `rate`, `work`: tokens, multiply-adds per second; `millisecondsLeft`: of `steps`. */
export interface StepMeter {
  /** Marks the end of something other than a step, so that the time since the last step does not count. */
  mark(now: number): void;
  step(now: number, tokens: number, loss: number, multiplyAdds?: number): void;
  loss(): number | undefined;
  rate(): number | undefined;
  work(): number | undefined;
  millisecondsLeft(steps: number): number | undefined;
}

/** Weight of the previous speeds at each step: about the last 20 steps matter. */
const KEEP = 0.95;

/** Returns a meter of exponential moving means (for the loss with `smoothing`), corrected for their start from zero. */
export function stepMeter(smoothing: number): StepMeter {
  let last: number | undefined;
  let [time, tokensDone, workDone, weight] = [0, 0, 0, 0];
  let [lossSum, lossWeight] = [0, 0];
  return {
    mark: (now) => {
      last = now;
    },
    step: (now, tokens, loss, multiplyAdds = 0) => {
      if (last !== undefined) {
        time = KEEP * time + Math.max(0, now - last);
        tokensDone = KEEP * tokensDone + tokens;
        workDone = KEEP * workDone + multiplyAdds;
        weight = KEEP * weight + 1;
      }
      last = now;
      if (Number.isFinite(loss)) {
        lossSum = smoothing * lossSum + (1 - smoothing) * loss;
        lossWeight = smoothing * lossWeight + (1 - smoothing);
      }
    },
    loss: () => (lossWeight > 0 ? lossSum / lossWeight : undefined),
    rate: () => (time > 0 ? 1000 * tokensDone / time : undefined),
    work: () => (time > 0 && workDone > 0 ? 1000 * workDone / time : undefined),
    millisecondsLeft: (steps) => (weight > 0 ? steps * time / weight : undefined),
  };
}
