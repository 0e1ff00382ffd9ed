/** The class scores of an example. */
import { badValue, missing } from "../../core/base/errors.ts";
import type { MetricInputs } from "../../core/types.ts";

/**
 * Returns the scores of an example: one per class, or only that of the positive class.
 *
 * @throws AttuneError if there are none.
 */
export function scoresOf(plugin: string, example: MetricInputs["label"] | MetricInputs["labels"]): ArrayLike<number> {
  if (!example.scores || example.scores.length === 0) throw missing(plugin, "the score of each class", "scores");
  return example.scores;
}

/**
 * Returns the score of class 1 of two classes.
 *
 * @throws AttuneError if there are scores of more classes, or none.
 */
export function positiveScore(plugin: string, example: MetricInputs["label"]): number {
  const scores = scoresOf(plugin, example);
  if (scores.length > 2) throw badValue(plugin, "scores", scores.length, "the scores of two classes");
  return scores[scores.length - 1] ?? 0;
}

/** Returns the class with the highest score; of equal ones, the first. */
export function argmax(scores: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if ((scores[i] ?? 0) > (scores[best] ?? 0)) best = i;
  return best;
}

/**
 * Returns the score of the reference class; a single score is that of class 1.
 *
 * @throws AttuneError if that class has no score.
 */
export function referenceScore(plugin: string, example: MetricInputs["label"]): number {
  const scores = scoresOf(plugin, example);
  const { reference } = example;
  if (scores.length === 1 && (reference === 0 || reference === 1)) {
    return reference === 1 ? scores[0] ?? 0 : 1 - (scores[0] ?? 0);
  }
  const score = scores[reference];
  if (score === undefined) throw badValue(plugin, "reference", reference, `a class from 0 to ${scores.length - 1}`);
  return score;
}
