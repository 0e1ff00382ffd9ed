/**
 * Several runs of one process over one base and the same rows: what they read alike is read once.
 * @module
 */
import { toSpec } from "../compose.ts";
import type { Checkpoint, Dataset, Host, Json, Named, Run } from "../types.ts";

/** Models and data sets that are kept at one time. */
const MOST_OPEN = 8;

/**
 * Makes runs share what they open: models, and data sets of equal options in runs of equal seeds. It holds what was opened
 * for as long as it lives.
 */
export function createWarmParts(): (run: Run) => Run {
  const opened = new Map<string, Promise<unknown>>();
  const once = <T>(key: string, open: () => Promise<T>): Promise<T> => {
    const known = opened.get(key) as Promise<T> | undefined;
    if (known) {
      opened.delete(key);
      opened.set(key, known);
      return known;
    }
    const made = open();
    opened.set(key, made);
    // Of folds each has rows of its own: what was not asked for longest goes.
    const [oldest = ""] = opened.keys();
    if (opened.size > MOST_OPEN) opened.delete(oldest);
    // What failed may do better the next time.
    made.catch(() => opened.delete(key));
    return made;
  };
  return (run) => {
    // Transforms may look at the other splits, the tokenizer and what the task reads.
    const { model, tokenizer, task, data: parts = null } = toSpec(run) as Named<Json>;
    const rows = JSON.stringify([model, tokenizer, task, parts, run.training.seed]);
    const data = (split: string, dataset: Dataset): Dataset => ({
      ...dataset,
      open: (host) => once(`${split} ${rows}`, () => dataset.open(host)),
    });
    return {
      ...run,
      model: { ...run.model, open: (host) => once(JSON.stringify(model), () => openedOnce(run, host)) },
      data: Object.fromEntries(
        Object.entries(run.data).map(([split, dataset]) => [split, data(split, dataset)]),
      ),
    };
  };
}

/** A checkpoint whose bytes are hashed once. */
async function openedOnce({ model }: Run, host: Host): Promise<Checkpoint> {
  const checkpoint = await model.open(host);
  let hash: Promise<string> | undefined;
  return { ...checkpoint, fingerprint: () => hash ??= checkpoint.fingerprint() };
}
