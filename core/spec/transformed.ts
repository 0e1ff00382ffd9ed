/** Data sets with transforms: rows pass through them in order, and the effects of each are counted. */
import { AttuneError } from "../base/errors.ts";
import { withNamedErrors } from "./named_errors.ts";
import type { Dataset, Host, Rows, Transform } from "../types.ts";
import { contextIn, type DataContext, inContext } from "./data_context.ts";

/**
 * Returns a data set whose rows go through transforms, in order. Opening it reads all rows once, to count those that
 * come out and what was done to them. Rows that cannot be read again by index are held in memory, or written to the
 * host's cache if they are many. `context`: that of the transforms; absent: the context of the host that opens the data
 * set.
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

/** Wraps a transform so that its errors state its name, as those of all plugins do. */
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
