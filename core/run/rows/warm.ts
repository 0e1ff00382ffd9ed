/** Sharing between runs of one process over the same base and rows, so that equal parts are read once. */
import { toSpec } from "../../spec/to_spec.ts";
import type { Checkpoint, Dataset, Host, Json, Named, Run } from "../../types.ts";
import { type Once, shareRows } from "./shared_rows.ts";

/** Number of models, tokenizers, data sets and sets of samples that are kept at a time. */
const MOST_OPEN = 10;

/**
 * Returns a function that makes runs share opened parts: models, tokenizers, and, in runs with the same seed, data sets
 * with equal options and their samples. It keeps the most recently used parts as long as it lives.
 */
export function createWarmParts(): (run: Run) => Run {
  const opened = new Map<string, Promise<unknown>>();
  const once: Once = <T>(key: string, open: () => Promise<T>): Promise<T> => {
    const known = opened.get(key) as Promise<T> | undefined;
    if (known) {
      opened.delete(key);
      opened.set(key, known);
      return known;
    }
    const connection = open();
    opened.set(key, connection);
    // Each fold has its own rows, so the least recently used part is dropped.
    const [oldest = ""] = opened.keys();
    if (opened.size > MOST_OPEN) opened.delete(oldest);
    // A failed opening is forgotten, so that the next call tries again.
    connection.catch(() => opened.delete(key));
    return connection;
  };
  return (run) => {
    // Transforms may look at the other splits, the tokenizer and what the task reads.
    const { model, tokenizer, task, collator = null, data: parts = null } = toSpec(run) as Named<Json>;
    const rows = JSON.stringify([model, tokenizer, task, collator, parts, run.training.seed]);
    const data = (split: string, dataset: Dataset): Dataset => ({
      ...dataset,
      open: (host) =>
        once(
          `${split} ${rows}`,
          async () =>
            shareRows(await dataset.open(host), (key, make) => once(`samples ${key} of ${split} ${rows}`, make)),
        ),
    });
    const words = JSON.stringify([model, tokenizer]);
    return {
      ...run,
      model: { ...run.model, open: (host) => once(JSON.stringify(model), () => openedOnce(run, host)) },
      tokenizer: { ...run.tokenizer, open: (files) => once(words, () => run.tokenizer.open(files)) },
      data: Object.fromEntries(Object.entries(run.data).map(([split, dataset]) => [split, data(split, dataset)])),
    };
  };
}

/** Opens a checkpoint whose bytes are hashed only once. */
async function openedOnce({ model }: Run, host: Host): Promise<Checkpoint> {
  const checkpoint = await model.open(host);
  let hash: Promise<string> | undefined;
  return { ...checkpoint, fingerprint: () => hash ??= checkpoint.fingerprint() };
}
