/** Several runs of one process over one base and the same rows: what they read alike is read once. */
import { toSpec } from "../../spec/to_spec.ts";
import type { Checkpoint, Dataset, Host, Json, Named, Run } from "../../types.ts";
import { type Once, shareRows } from "./shared_rows.ts";

/** Models, tokenizers, data sets and samples of these that are kept at one time. */
const MOST_OPEN = 10;

/**
 * Makes runs share what they open: models, tokenizers, and data sets of equal options in runs of equal seeds, with the samples
 * that these become where they are read alike. It holds what was opened last for as long as it lives.
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
    // Of folds each has rows of its own: what was not asked for longest goes.
    const [oldest = ""] = opened.keys();
    if (opened.size > MOST_OPEN) opened.delete(oldest);
    // What failed may do better the next time.
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

/** A checkpoint whose bytes are hashed once. */
async function openedOnce({ model }: Run, host: Host): Promise<Checkpoint> {
  const checkpoint = await model.open(host);
  let hash: Promise<string> | undefined;
  return { ...checkpoint, fingerprint: () => hash ??= checkpoint.fingerprint() };
}
