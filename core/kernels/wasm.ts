/** The WebAssembly kernels: a compiled module over one memory. Arrays are passed as byte pointers. */
import { refused } from "../base/errors.ts";
import { adamKernels, type AllKernels, dropThreshold } from "./shared.ts";

/** Bytes at the start of the memory that dropout kernels use as scratch space for incomplete chunks of rows. */
export const SCRATCH = 256;

const names = [
  "adam",
  "adamw",
  "sgd",
  "sumOfSquares",
  "unscale",
  "scale",
  "axpy",
  "scatterAddRows",
  "dropoutRows",
  "dropoutAttention",
] as const;

type Exports = Record<typeof names[number], (...args: number[]) => number>;

/**
 * Instantiates the kernels of a compiled module over a memory that never grows.
 *
 * @throws AttuneError (refused) if the module lacks a kernel.
 */
export async function wasmKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<AllKernels> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const instance: Partial<Exports> = {};
  for (const name of names) {
    const kernel = exports[name];
    if (typeof kernel !== "function") {
      throw refused("engine", `The module of kernels lacks "${name}": it belongs to another version`);
    }
    instance[name] = kernel as Exports[typeof name];
  }
  return over(instance as Exports);
}

function over(x: Exports): AllKernels {
  const at = (array: Float32Array | Int32Array): number => array.byteOffset;
  return {
    ...adamKernels(({ parameter, gradient, state: { m, v } }, start, count, factors) => {
      const skip = 4 * start;
      const kernel = factors[6] === 0 ? x.adamw : x.adam; // factors[6] is l2
      kernel(at(parameter) + skip, at(gradient) + skip, at(m) + skip, at(v) + skip, count, ...factors);
    }),
    sgd: ({ parameter, gradient, state: { momentum } }, o) =>
      void x.sgd(
        at(parameter),
        at(gradient),
        at(momentum),
        parameter.length,
        o.gradientScale,
        o.weightDecay,
        o.momentum,
        1 - o.dampening,
        o.learningRate,
        Number(o.step === 1),
        Number(o.nesterov),
      ),
    sumOfSquares: (a) => x.sumOfSquares(at(a), a.length),
    unscale: (a, factor) => x.unscale(at(a), a.length, factor),
    scale: (a, factor) => void x.scale(at(a), a.length, factor),
    axpy: (y, a, b) => void x.axpy(at(y), a, at(b), b.length),
    scatterAddRows: (table, rows, values, width) =>
      void x.scatterAddRows(at(table), at(rows), at(values), rows.length, width),
    dropoutRows: (out, places, width, p, [k0, k1], site) =>
      void x.dropoutRows(at(out), at(places), places.length / 2, width, dropThreshold(p), 1 / (1 - p), k0, k1, site, 0),
    dropoutAttention: (out, queryPlaces, keyPlaces, heads, queries, keys, p, [k0, k1], site) =>
      void x.dropoutAttention(
        at(out),
        at(queryPlaces),
        at(keyPlaces),
        keyPlaces.length / 2 / keys,
        heads,
        queries,
        keys,
        dropThreshold(p),
        1 / (1 - p),
        k0,
        k1,
        site,
        0,
      ),
  };
}
