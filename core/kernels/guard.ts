/**
 * Argument checks for the kernels, which only see pointers: every array must be a view of their memory and long enough,
 * and every row must be in its table. Nothing is written if a check fails.
 */
import { type AttuneError, badValue } from "../base/errors.ts";
import type { FlatParameter } from "../types.ts";
import type { AllKernels } from "./shared.ts";

/** Kernels that throw AttuneError (BAD_VALUE) instead of reaching outside their arrays. */
export function guardKernels(buffer: ArrayBuffer, kernels: AllKernels): AllKernels {
  const check = (name: string, array: Float32Array | Int32Array | undefined, length = 0): void => {
    if (!array) throw bad(name, "none", "a view of this memory");
    if (array.length < length) throw bad(name, array.length, `${length} values`);
    if (array.length > 0 && array.buffer !== buffer) throw bad(name, "a view of other memory", "one of this memory");
  };
  const checkSpan = (span: FlatParameter, ...slots: readonly string[]): void => {
    check("parameter", span.parameter);
    check("gradient", span.gradient, span.parameter.length);
    for (const slot of slots) check(slot, span.state[slot], span.parameter.length);
  };
  const checkRows = (table: Float32Array, rows: Int32Array, width: number, least: number): void => {
    checkCount("width", width);
    const limit = Math.floor(table.length / width);
    for (const row of rows) {
      if (row < least || row >= limit) throw bad("rows", row, `a row from ${least} to ${limit - 1}`);
    }
  };
  const checkShare = (p: number): void => {
    if (!(p >= 0 && p <= 1)) throw bad("p", p, "a share from 0 to 1");
  };
  return {
    adam: (span, o) => {
      checkSpan(span, "m", "v");
      kernels.adam(span, o);
    },
    adamw: (span, o) => {
      checkSpan(span, "m", "v");
      kernels.adamw(span, o);
    },
    adamwRows: (span, rows, width, o) => {
      checkSpan(span, "m", "v");
      checkRows(span.parameter, rows, width, 0);
      kernels.adamwRows(span, rows, width, o);
    },
    sgd: (span, o) => {
      checkSpan(span, ...(o.momentum === 0 ? [] : ["momentum"]));
      kernels.sgd(span, o);
    },
    ...overVector(kernels, check),
    axpy: (y, a, x) => {
      check("x", x);
      check("y", y, x.length);
      kernels.axpy(y, a, x);
    },
    scatterAddRows: (table, rows, values, width) => {
      check("table", table);
      check("rows", rows);
      check("values", values, rows.length * width);
      checkRows(table, rows, width, -1);
      kernels.scatterAddRows(table, rows, values, width);
    },
    dropoutRows: (out, places, width, p, key, site) => {
      checkShare(p);
      checkCount("width", width);
      check("places", places);
      check("out", out, (places.length / 2) * width);
      kernels.dropoutRows(out, places, width, p, key, site);
    },
    dropoutAttention: (out, queryPlaces, keyPlaces, heads, queries, keys, p, key, site) => {
      checkShare(p);
      checkCount("heads", heads);
      checkCount("queries", queries);
      checkCount("keys", keys);
      const batch = keyPlaces.length / 2 / keys;
      check("keyPlaces", keyPlaces);
      check("queryPlaces", queryPlaces, 2 * batch * queries);
      check("out", out, batch * heads * queries * keys);
      kernels.dropoutAttention(out, queryPlaces, keyPlaces, heads, queries, keys, p, key, site);
    },
  };
}

/** The kernels that read one vector. */
function overVector(
  kernels: AllKernels,
  check: (name: string, array: Float32Array) => void,
): Pick<AllKernels, "sumOfSquares" | "unscale" | "scale"> {
  return {
    sumOfSquares: (x) => {
      check("x", x);
      return kernels.sumOfSquares(x);
    },
    unscale: (x, factor) => {
      check("x", x);
      return kernels.unscale(x, factor);
    },
    scale: (x, factor) => {
      check("x", x);
      kernels.scale(x, factor);
    },
  };
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw bad(name, value, "a whole number from 1");
}

function bad(name: string, value: unknown, allowed: string): AttuneError {
  return badValue("kernels", name, value, allowed);
}
