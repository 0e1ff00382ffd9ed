/** Reading the probabilities of an example. */
import { badValue, missing } from "../../core/base/errors.ts";
import type { MetricInputs } from "../../core/types.ts";

/**
 * The scores of an example: one per class, or one alone for the positive class.
 *
 * @throws AttuneError if there are none.
 */
export function scoresOf(plugin: string, example: MetricInputs["label"] | MetricInputs["labels"]): ArrayLike<number> {
  if (!example.scores || example.scores.length === 0) throw missing(plugin, "the score of each class", "scores");
  return example.scores;
}

/**
 * The score of class 1 of two.
 *
 * @throws AttuneError if there are scores for more classes, or none.
 */
export function positiveScore(plugin: string, example: MetricInputs["label"]): number {
  const scores = scoresOf(plugin, example);
  if (scores.length > 2) throw badValue(plugin, "scores", scores.length, "the scores of two classes");
  return scores[scores.length - 1] ?? 0;
}

/** The class with the highest score, the first of equals. */
export function argmax(scores: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if ((scores[i] ?? 0) > (scores[best] ?? 0)) best = i;
  return best;
}

/**
 * The score of the class that is there; a score alone is that of class 1.
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
