/** Data sets with transforms: rows pass one transform after the other, and what each did is counted. */
import { AttuneError } from "../base/errors.ts";
import { withNamedErrors } from "./named_errors.ts";
import type { Dataset, Host, Rows, Transform } from "../types.ts";
import { contextIn, type DataContext, inContext } from "./data_context.ts";

/**
 * A data set whose rows go through transforms, in order. Opening it reads all rows once, so that it knows how many come out
 * and what was done to them; rows that cannot be had again by their index are held in memory, or written down in the host's cache where they are many.
 * `context`: what they are told; absent: what the host that opens them has of the run.
 *
 * @example
 * ```ts
 * import { transformRows } from "attune/kit";
 * import { memory } from "attune/data/memory";
 * console.assert(transformRows(memory({ rows: [{ text: "a" }] }), []).name === "memory");
 * ```
 */
export function transformRows(source: Dataset, transforms: readonly Transform[], context?: DataContext): Dataset {
  if (transforms.length === 0) return source;
  const last = new WeakMap<Host, Readonly<{ fingerprint: string; rows: Promise<Rows> }>>();
  const dataset: Dataset = {
    ...source,
    transformed: { source, transforms },
    open: async (host) => {
      const opened = await source.open(host);
      const known = last.get(host);
      if (known?.fingerprint === opened.fingerprint) return await known.rows;
      const rows = import("./transformed_rows.ts").then(({ openTransformed }) =>
        openTransformed(opened, transforms, host, contextIn(host))
      );
      last.set(host, { fingerprint: opened.fingerprint, rows });
      rows.catch(() => last.delete(host));
      return await rows;
    },
  };
  return context ? inContext(dataset, context) : dataset;
}

/** A transform's error with its name, as those of all plugins have. */
export function namedTransform(transform: Transform): Transform {
  const renamed = withNamedErrors(transform);
  return {
    ...renamed,
    apply: (rows, context, state) => ({
      [Symbol.asyncIterator]: async function* () {
        try {
          yield* transform.apply(rows, context, state);
        } catch (error) {
          if (!(error instanceof Error) || error instanceof AttuneError || error.name === "AbortError") throw error;
          const message = `The transform "${transform.name}" failed: ${error.name}: ${error.message}`;
          throw new AttuneError(message, { code: "PLUGIN", plugin: transform.name, path: "transform", cause: error });
        }
      },
    }),
  };
}
