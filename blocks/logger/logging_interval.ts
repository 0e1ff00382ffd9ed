/** Decides which steps are logged, by `training.loggingSteps`, `loggingStrategy` and `loggingFirstStep`. */
import type { TrainingArguments, TrainingEvent } from "../../core/types.ts";

/**
 * Several steps as one row: `loss` is the mean over the steps since the last row that were not skipped, `tokens` and
 * `samples` are sums, everything else is from the last step.
 */
export type LoggedSteps = Readonly<{
  step: number;
  epoch: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
  tokens: number;
  samples: number;
}>;

/** Collects steps. `see` returns a row whenever one is due, `flush` the steps that have not been returned yet. */
export interface LoggingInterval {
  see(event: TrainingEvent): LoggedSteps | undefined;
  flush(): LoggedSteps | undefined;
  /** The values collected since the last logged step, as plain data for a checkpoint. */
  state(): Gathered;
  restore(state: Gathered): void;
}

/** Steps collected since the last logged row. */
export type Gathered = Readonly<{
  sums: Readonly<{ loss: number; steps: number; tokens: number; samples: number }>;
  last?: LoggedSteps;
}>;

type Training = Pick<TrainingArguments, "loggingStrategy" | "loggingSteps" | "loggingFirstStep">;

/** Returns rows at transformers' intervals. A `loggingSteps` below 1 is a share of all steps, rounded up. */
export function loggingInterval({ loggingStrategy, loggingSteps, loggingFirstStep }: Training): LoggingInterval {
  let every = loggingSteps < 1 ? Infinity : Math.floor(loggingSteps);
  let sums = { loss: 0, steps: 0, tokens: 0, samples: 0 };
  let last: LoggedSteps | undefined;
  const take = (): LoggedSteps | undefined => {
    const row = last && { ...last, loss: sums.loss / sums.steps, tokens: sums.tokens, samples: sums.samples };
    last = undefined;
    sums = { loss: 0, steps: 0, tokens: 0, samples: 0 };
    return row;
  };
  return {
    see: (event) => {
      if (event.type === "start" && loggingSteps < 1) every = Math.max(1, Math.ceil(loggingSteps * event.totalSteps));
      if (event.type !== "step" || loggingStrategy === "no") return undefined;
      const { step, epoch, loss, gradNorm, learningRate, tokens, samples, skipped } = event;
      sums = {
        loss: sums.loss + (skipped ? 0 : loss),
        steps: sums.steps + (skipped ? 0 : 1),
        tokens: sums.tokens + tokens,
        samples: sums.samples + samples,
      };
      last = { step, epoch, loss, gradNorm, learningRate, tokens, samples };
      const due = loggingStrategy === "epoch" ? Number.isInteger(epoch) : step % every === 0;
      return due || (loggingFirstStep && step === 1) ? take() : undefined;
    },
    flush: take,
    state: () => ({ sums, ...(last ? { last } : {}) }),
    restore: (state) => ({ sums, last } = { last: undefined, ...state }),
  };
}
