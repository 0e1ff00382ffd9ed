import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bytesModule, compileKernels } from "../../build/kernels.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { createMemory, type KernelMemory } from "../../core/kernels/kernels.ts";
import { createRandom, fillNormal, philox4x32 } from "../../core/math/random.ts";
import type { AdamStepOptions, FlatParameter } from "../../core/types.ts";

const lengths = [0, 1, 3, 4, 31, 32, 33, 257];
const key = createRandom(3).key;
const wasmFile = new URL("../../core/kernels/kernels.wasm", import.meta.url);
const adam: AdamStepOptions = {
  step: 3,
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  gradientScale: 0.7,
};
const sgd = {
  step: 2,
  learningRate: 0.01,
  momentum: 0.9,
  dampening: 0.1,
  nesterov: false,
  weightDecay: 0.1,
  gradientScale: 0.7,
};

/** Runs the same on both forms and compares what comes out, value by value: NaN is NaN, -0 is not 0. */
async function both(run: (memory: KernelMemory) => ArrayLike<number>[]): Promise<void> {
  const [simd, plain] = [await createMemory(1 << 20), await createMemory(1 << 20, { fallback: true })];
  assert.deepEqual([simd.simd, plain.simd], [true, false]);
  assert.deepEqual(run(simd), run(plain));
}

function filled(memory: KernelMemory, length: number, stream: string): Float32Array {
  const x = memory.alloc(length);
  fillNormal(createRandom(1).fork(stream), x, 1);
  return x;
}

/** A span of random values that an optimizer is in the middle of. */
function spanOf(memory: KernelMemory, n: number): FlatParameter<"m" | "v" | "momentum"> {
  const v = filled(memory, n, "v");
  v.forEach((x, i) => (v[i] = Math.abs(x)));
  return {
    name: "x",
    shape: [n],
    parameter: filled(memory, n, "p"),
    gradient: filled(memory, n, "g"),
    state: { m: filled(memory, n, "m"), v, momentum: filled(memory, n, "b") },
  };
}

const arrays = (
  { parameter, gradient, state: { m, v, momentum } }: FlatParameter<"m" | "v" | "momentum">,
): Float32Array[] => [
  parameter,
  gradient,
  m,
  v,
  momentum,
];

const placesIn = (memory: KernelMemory, pairs: readonly (readonly [number, number])[]): Int32Array => {
  const places = memory.allocI32(2 * pairs.length);
  places.set(pairs.flat());
  return places;
};

/** The places of sequences of these lengths one behind the other. */
const shared = (lengths: readonly number[]): [number, number][] =>
  lengths.flatMap((n, sequence) => Array.from({ length: n }, (_, i): [number, number] => [sequence, i]));

describe("kernels", () => {
  it("are what their source compiles to", async () => {
    const bytes = await compileKernels();
    assert.deepEqual(new Uint8Array(readFileSync(wasmFile)), bytes);
    assert.equal(readFileSync(new URL("../../core/kernels/bytes.ts", import.meta.url), "utf8"), bytesModule(bytes));
  });

  it("come as a compiled module too", async () => {
    const memory = await createMemory(1000, { module: await WebAssembly.compile(readFileSync(wasmFile)) });
    const x = memory.alloc(5).fill(2);
    assert.equal(memory.kernels.sumOfSquares(x), 20);
    const other = await WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    await assert.rejects(createMemory(1000, { module: other }), /lacks "adam"/);
  });

  for (const n of lengths) {
    it(`give the same bits with and without SIMD (${n})`, () =>
      both((memory) => {
        const { kernels } = memory;
        const span = spanOf(memory, n);
        kernels.adamw(span, adam);
        kernels.adam(span, adam);
        kernels.sgd(span, { ...sgd, step: 1 });
        kernels.sgd(span, sgd);
        kernels.sgd(span, { ...sgd, nesterov: true });
        kernels.sgd(span, { ...sgd, momentum: 0 });
        kernels.scale(span.gradient, 1.3);
        kernels.axpy(span.gradient, 0.3, span.state.m);
        const norm = kernels.unscale(span.state.v, 0.7);
        return [...arrays(span), [norm, kernels.sumOfSquares(span.parameter)]];
      }));
  }

  it("give the same values where these are not finite, tiny or -0", () =>
    both((memory) => {
      const odd = [NaN, Infinity, -Infinity, -0, 0, 1e-40, -1e-45, 3e38, 1e-20];
      const n = odd.length ** 2;
      const spans = ["adamw", "adam", "sgd"].map(() => spanOf(memory, n));
      for (const { parameter, gradient, state } of spans) {
        for (let i = 0; i < n; i++) {
          parameter[i] = odd[i % odd.length] ?? 0;
          gradient[i] = odd[Math.floor(i / odd.length)] ?? 0;
          state.m[i] = odd[(i + 3) % odd.length] ?? 0;
          state.v[i] = Math.abs(odd[(i + 5) % odd.length] ?? 0);
        }
      }
      const [a, b, c] = spans as [typeof spans[0], typeof spans[0], typeof spans[0]];
      memory.kernels.adamw(a, adam);
      memory.kernels.adam(b, adam);
      memory.kernels.sgd(c, sgd);
      memory.kernels.scale(c.gradient, 3);
      memory.kernels.axpy(c.state.m, -2, c.gradient);
      return [...spans.flatMap(arrays), [memory.kernels.sumOfSquares(c.gradient)]];
    }));

  it("let NaN and infinity through to the norm", async () => {
    const memory = await createMemory(1 << 16);
    const x = memory.alloc(9);
    for (const place of [0, 7, 8]) {
      x.fill(1)[place] = NaN;
      assert.ok(Number.isNaN(memory.kernels.sumOfSquares(x)));
      x[place] = Infinity;
      assert.equal(memory.kernels.sumOfSquares(x), Infinity);
    }
    x.fill(3e38);
    assert.ok(Math.abs(memory.kernels.sumOfSquares(x) / (9 * Math.fround(3e38) ** 2) - 1) < 1e-15);
  });

  it("unscale: what was not finite before is told apart from what overflows by the factor", () =>
    both((memory) => {
      const { kernels } = memory;
      const x = memory.alloc(11);
      const results: number[] = [];
      for (let place = 0; place < x.length; place++) {
        for (const value of [NaN, Infinity, -Infinity]) {
          x.fill(1)[place] = value;
          assert.ok(Number.isNaN(kernels.unscale(x, 2)), `${value} at ${place}`);
          assert.equal(x[(place + 1) % 11], 2);
        }
        x.fill(1)[place] = -3e38;
        assert.equal(kernels.unscale(x, 2), Infinity);
        assert.equal(x[place], -Infinity);
        x.fill(3)[place] = 1e-45;
        const wanted = x.map((v) => v * Math.fround(1 / 3));
        const norm = kernels.unscale(x, 1 / 3);
        assert.deepEqual(x, wanted);
        assert.equal(norm, kernels.sumOfSquares(x));
        results.push(norm);
      }
      return [results];
    }));

  it("add rows up where they belong", () =>
    both((memory) => {
      const [table, values] = [filled(memory, 5 * 6, "t"), filled(memory, 4 * 6, "r")];
      const before = table.slice();
      const rows = memory.allocI32(4);
      rows.set([4, 0, -1, 4]);
      memory.kernels.scatterAddRows(table, rows, values, 6);
      for (let j = 0; j < 6; j++) {
        const wanted = Math.fround(Math.fround((before[24 + j] ?? 0) + (values[j] ?? 0)) + (values[18 + j] ?? 0));
        assert.equal(table[24 + j], wanted);
        assert.equal(table[6 + j], before[6 + j]);
      }
      return [table];
    }));

  it("reach memory above 2 GiB", async (t) => {
    const memory = await createMemory(2.25 * 2 ** 30).catch((error) => {
      if (error instanceof AttuneError) return undefined;
      throw error;
    });
    if (!memory) return t.skip("the host does not give 2.25 GiB in one piece");
    memory.alloc(2 ** 29 + 2 ** 20); // untouched, so it takes no room
    const low = await createMemory(1 << 20);
    const [far, near] = [spanOf(memory, 37), spanOf(low, 37)];
    assert.ok(far.parameter.byteOffset > 2 ** 31);
    for (const [{ kernels }, span] of [[memory, far], [low, near]] as const) {
      kernels.adamw(span, adam);
      kernels.sgd(span, sgd);
      kernels.axpy(span.parameter, 2, span.gradient);
    }
    assert.deepEqual(arrays(far), arrays(near));
    assert.equal(memory.kernels.sumOfSquares(far.gradient), low.kernels.sumOfSquares(near.gradient));
    const outs = [memory, low].map((m) => {
      const out = m.alloc(45);
      m.kernels.dropoutRows(out, placesIn(m, [[2, 3]]), 45, 0.5, key, 1);
      return out;
    });
    assert.deepEqual(outs[0], outs[1]);
  });
});

describe("optimizer steps", () => {
  const n = 301;
  /** Compares with formulas in float64 from the same state: a few roundings of float32, no more. */
  const close = (found: Float32Array, wanted: (i: number) => number, size: (i: number) => number): void =>
    found.forEach((x, i) => assert.ok(Math.abs(x - wanted(i)) <= 2.5e-7 * size(i), `${i}: ${x} and ${wanted(i)}`));

  for (const kind of ["adamw", "adam"] as const) {
    for (const step of [1, 2, 1000]) {
      it(`${kind} follows its formula at step ${step}`, async () => {
        const memory = await createMemory(1 << 20);
        const span = spanOf(memory, n);
        if (step === 1) [span.state.m, span.state.v].forEach((x) => x.fill(0));
        const [p, g, m, v] = arrays(span).map((x) => Float64Array.from(x)) as Float64Array[];
        memory.kernels[kind](span, { ...adam, step });
        const at = (x: Float64Array | undefined, i: number): number => x?.[i] ?? NaN;
        const d = (i: number) => 0.7 * at(g, i) + (kind === "adam" ? 0.1 * at(p, i) : 0);
        // What d is the sum of, for where its parts cancel.
        const parts = (i: number) => 0.7 * Math.abs(at(g, i)) + (kind === "adam" ? 0.1 * Math.abs(at(p, i)) : 0);
        const mean = (i: number) => 0.9 * at(m, i) + 0.1 * d(i);
        const square = (i: number) => 0.999 * at(v, i) + 0.001 * d(i) ** 2;
        const decayed = (i: number) => at(p, i) * (kind === "adamw" ? 1 - 0.01 * 0.1 : 1);
        const move = (i: number) =>
          (0.01 / (1 - 0.9 ** step)) * mean(i) / (Math.sqrt(square(i)) / Math.sqrt(1 - 0.999 ** step) + 1e-8);
        close(span.state.m, mean, (i) => Math.abs(at(m, i)) + parts(i));
        close(span.state.v, square, (i) => at(v, i) + 0.001 * parts(i) ** 2);
        close(span.parameter, (i) => decayed(i) - move(i), (i) => Math.abs(decayed(i)) + 4 * Math.abs(move(i)) + 0.01);
      });
    }
  }

  for (const nesterov of [false, true]) {
    it(`sgd follows torch's formula${nesterov ? " with Nesterov's step" : ""}`, async () => {
      const memory = await createMemory(1 << 20);
      const span = spanOf(memory, n);
      const [p, g] = arrays(span).map((x) => Float64Array.from(x)) as [Float64Array, Float64Array];
      const b = new Float64Array(n);
      for (let step = 1; step <= 4; step++) {
        memory.kernels.sgd(span, { ...sgd, nesterov, step });
        for (let i = 0; i < n; i++) {
          const w = p[i] ?? NaN;
          const d = 0.7 * (g[i] ?? NaN) + 0.1 * w;
          const m = b[i] = step === 1 ? d : 0.9 * (b[i] ?? NaN) + 0.9 * d;
          p[i] = w - 0.01 * (nesterov ? d + 0.9 * m : m);
        }
      }
      close(span.state.momentum, (i) => b[i] ?? NaN, () => 8);
      close(span.parameter, (i) => p[i] ?? NaN, () => 2);
    });
  }

  it("leave the moments alone where weights alone are stepped, and need no momentum where there is none", async () => {
    const memory = await createMemory(1 << 16);
    const span = { ...spanOf(memory, 5), state: { momentum: memory.alloc(0) } };
    const wanted = Float32Array.from(span.parameter, (w, i) => w - 0.01 * (0.7 * (span.gradient[i] ?? 0) + 0.1 * w));
    memory.kernels.sgd(span, { ...sgd, momentum: 0 });
    span.parameter.forEach((w, i) => assert.ok(Math.abs(w - (wanted[i] ?? NaN)) < 1e-6));
  });

  it("adamwRows steps the rows that are named as adamw does, and no others", async () => {
    const outcomes = await Promise.all([false, true].map(async (fallback) => {
      const memory = await createMemory(1 << 20, { fallback });
      const [some, all] = [spanOf(memory, 7 * 5), spanOf(memory, 7 * 5)];
      const before = arrays(some).map((x) => x.slice());
      const rows = memory.allocI32(3);
      rows.set([6, 0, 3]);
      memory.kernels.adamwRows(some, rows, 5, adam);
      memory.kernels.adamw(all, adam);
      arrays(some).forEach((x, slot) =>
        x.forEach((value, i) => {
          const stepped = rows.includes(Math.floor(i / 5));
          assert.equal(value, (stepped ? arrays(all)[slot] : before[slot])?.[i]);
        })
      );
      return arrays(some);
    }));
    assert.deepEqual(outcomes[0], outcomes[1]);
  });
});

describe("memory", () => {
  it("is aligned, apart and zero", async () => {
    const memory = await createMemory(1000);
    const [a, b, c] = [memory.alloc(1), memory.allocI32(17), memory.alloc(3)];
    for (const x of [a, b, c]) assert.equal(x.byteOffset % 64, 0);
    assert.ok(a.byteOffset >= 256 && b.byteOffset >= a.byteOffset + 4 && c.byteOffset >= b.byteOffset + 68);
    assert.ok([...a, ...b, ...c].every((x) => x === 0));
    assert.equal(memory.used(), c.byteOffset + 12);
    memory.reset();
    assert.equal(memory.alloc(1).byteOffset, a.byteOffset);
  });

  for (const fallback of [false, true]) {
    it(`refuses more than fits${fallback ? ", without WebAssembly too" : ""}`, async () => {
      await assert.rejects(createMemory(5 * 2 ** 30, { fallback }), /4 GiB/);
      await assert.rejects(createMemory(NaN, { fallback }), /number of bytes/);
      const memory = await createMemory(1000, { fallback });
      const before = memory.used();
      assert.throws(() => memory.alloc(1 << 20), /do not fit/);
      assert.throws(() => memory.alloc(-1), /number of values/);
      assert.throws(() => memory.allocI32(1.5), /number of values/);
      assert.equal(memory.used(), before);
    });

    it(`refuses arrays that kernels would reach outside of${fallback ? ", without WebAssembly too" : ""}`, async () => {
      const memory = await createMemory(1 << 16, { fallback });
      const { kernels } = memory;
      const span = spanOf(memory, 8);
      const before = arrays(span).map((x) => x.slice());
      const rows = memory.allocI32(2);
      const foreign = new Float32Array(8);
      const refuses = (run: () => unknown, message: RegExp): void => assert.throws(run, message);
      refuses(() => kernels.adamw({ ...span, parameter: foreign }, adam), /parameter: .*this memory/i);
      refuses(() => kernels.adamw({ ...span, gradient: memory.alloc(7) }, adam), /gradient: expected 8 values/);
      refuses(
        () => kernels.adam({ ...span, state: { ...span.state, v: memory.alloc(3) } }, adam),
        /v: expected 8 values/,
      );
      refuses(
        () => kernels.sgd({ ...span, state: { momentum: memory.alloc(0) } }, sgd),
        /momentum: expected 8 values/,
      );
      refuses(() => kernels.sumOfSquares(foreign), /x: /);
      refuses(() => kernels.scale(foreign, 2), /x: /);
      refuses(() => kernels.axpy(memory.alloc(7), 1, span.gradient), /y: expected 8 values/);
      rows.set([1, 4]);
      refuses(() => kernels.adamwRows(span, rows, 2, adam), /rows: expected a row from 0 to 3 but found 4/);
      refuses(
        () => kernels.scatterAddRows(span.parameter, rows, span.gradient, 2),
        /rows: expected a row from -1 to 3/,
      );
      rows.set([1, -2]);
      refuses(() => kernels.scatterAddRows(span.parameter, rows, span.gradient, 2), /but found -2/);
      refuses(() => kernels.scatterAddRows(span.parameter, rows, memory.alloc(3), 2), /values: expected 4 values/);
      const places = placesIn(memory, [[0, 0], [0, 1]]);
      refuses(() => kernels.dropoutRows(span.gradient, places, 5, 0.1, key, 0), /out: expected 10 values/);
      refuses(() => kernels.dropoutRows(span.gradient, places, 4, 1.5, key, 0), /share from 0 to 1/);
      refuses(() => kernels.dropoutRows(span.gradient, places, 0, 0.5, key, 0), /width: /);
      refuses(() => kernels.dropoutAttention(span.gradient, places, places, 3, 2, 2, 0.1, key, 0), /out: expected 12/);
      refuses(
        () => kernels.dropoutAttention(span.gradient, places.subarray(2), places, 1, 2, 2, 0.1, key, 0),
        /queryPlaces: expected 4 values/,
      );
      assert.deepEqual(arrays(span), before);
    });
  }
});

describe("dropout masks", () => {
  for (const width of [1, 4, 31, 32, 33, 63, 64, 65, 100]) {
    it(`have the same bits with and without SIMD, and end where they should (${width})`, () =>
      both((memory) => {
        const out = memory.alloc(3 * width + 32).fill(7);
        memory.kernels.dropoutRows(out, placesIn(memory, [[0, 0], [-1, -1], [7, 3]]), width, 0.3, key, 2);
        assert.ok(out.subarray(3 * width).every((x) => x === 7));
        assert.ok(out.subarray(width, 2 * width).every((x) => x === 1));
        return [out];
      }));
  }

  for (const heads of [1, 2, 3]) {
    for (const lengths of [[2, 3], [1], [33, 5], [64, 1, 40]]) {
      it(`of attention too: ${heads} heads, sequences of ${lengths}`, () =>
        both((memory) => {
          const pairs: (readonly [number, number])[] = [...shared(lengths), [-1, -1]];
          const places = placesIn(memory, pairs);
          const n = pairs.length;
          const out = memory.alloc(heads * n * n).fill(7);
          memory.kernels.dropoutAttention(out, places, places, heads, n, n, 0.5, key, 1);
          out.forEach((x, i) => {
            const [q, k] = [pairs[Math.floor(i / n) % n]?.[0] ?? -1, pairs[i % n]?.[0] ?? -1];
            assert.equal(x === 7, q !== k || q === -1, `${i}`);
          });
          return [out];
        }));
    }
  }

  it("are Philox's words, two values each", async () => {
    const memory = await createMemory(1 << 16);
    const out = memory.alloc(40);
    memory.kernels.dropoutRows(out, placesIn(memory, [[5, 9]]), 40, 0.25, key, 11);
    out.forEach((x, i) => {
      const block = Math.floor(i / 32) * 4 + (i % 4);
      const word = philox4x32([block, 9, 5, 11], key)[Math.floor((i % 32) / 8)] ?? 0;
      const bits = i & 4 ? word >>> 16 : word & 0xffff;
      assert.equal(x, bits < 16384 ? 0 : Math.fround(1 / 0.75));
    });
  });

  it("depend on sequence and position, not on where these lie", async () => {
    const memory = await createMemory(1 << 16);
    const [a, b] = [memory.alloc(2 * 40), memory.alloc(2 * 40)];
    memory.kernels.dropoutRows(a, placesIn(memory, [[5, 1], [6, 0]]), 40, 0.5, key, 9);
    memory.kernels.dropoutRows(b, placesIn(memory, [[6, 0], [5, 1]]), 40, 0.5, key, 9);
    assert.deepEqual(a.slice(0, 40), b.slice(40));
    assert.deepEqual(a.slice(40), b.slice(0, 40));
  });

  it("of attention: the same in a row of its own, in a shared row and for chosen queries", async () => {
    const memory = await createMemory(1 << 20);
    const [heads, n] = [3, 37];
    const row = shared([4, n, 9]).map(([s, i]) => [s + 20, i] as const);
    const slice = row.slice(4, 4 + n);
    // Alone, with padding behind it; behind another sequence; and two of its queries alone, in a second row.
    const alone = memory.alloc(heads * 40 * 40);
    const padded = placesIn(memory, [...slice, [-1, -1], [-1, -1], [-1, -1]]);
    memory.kernels.dropoutAttention(alone, padded, padded, heads, 40, 40, 0.5, key, 4);
    const packed = memory.alloc(heads * 50 * 50);
    const all = placesIn(memory, row);
    memory.kernels.dropoutAttention(packed, all, all, heads, 50, 50, 0.5, key, 4);
    const picked = memory.alloc(2 * heads * 2 * 50);
    const queries = placesIn(memory, [[-1, -1], [-1, -1], slice[30] ?? [-1, -1], slice[2] ?? [-1, -1]]);
    memory.kernels.dropoutAttention(picked, queries, placesIn(memory, [...row, ...row]), heads, 2, 50, 0.5, key, 4);
    for (let h = 0; h < heads; h++) {
      for (let q = 0; q < n; q++) {
        for (let k = 0; k < n; k++) {
          const value = alone[(h * 40 + q) * 40 + k];
          assert.equal(packed[(h * 50 + q + 4) * 50 + k + 4], value);
          const at = [30, 2].indexOf(q);
          if (at >= 0) assert.equal(picked[((heads + h) * 2 + at) * 50 + k + 4], value);
        }
      }
    }
    assert.ok(picked.subarray(0, heads * 2 * 50).every((x) => x === 0));
  });

  it("drop the share that was asked for, keep the mean, and hold no pattern along rows or columns", async () => {
    const memory = await createMemory(1 << 22);
    const [n, width] = [1000, 256];
    const out = memory.alloc(n * width);
    const pairs = Array.from({ length: n }, (_, i) => [i, i % 7] as const);
    memory.kernels.dropoutRows(out, placesIn(memory, pairs), width, 0.1, key, 0);
    assert.ok(out.every((x) => x === 0 || x === Math.fround(1 / 0.9)));
    // Five standard deviations of the share, and of how often neighbours are dropped together.
    const dropped = Array.from(out, (x) => Number(x === 0));
    const share = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0) / of.length;
    const within = (x: number, p: number): void =>
      assert.ok(Math.abs(x - p) < 5 * Math.sqrt(p * (1 - p) / out.length), `${x} and ${p}`);
    within(share(dropped), 0.1);
    for (const lag of [1, 4, 8, 32, width]) {
      within(share(dropped.map((x, i) => x * (dropped[(i + lag) % out.length] ?? 0))), 0.01);
    }
  });

  it("drop nothing at 0 and everything at 1", async () => {
    const memory = await createMemory(1 << 16);
    const [out, places] = [memory.alloc(70), placesIn(memory, [[0, 0]])];
    memory.kernels.dropoutRows(out, places, 70, 0, key, 0);
    assert.ok(out.every((x) => x === 1));
    memory.kernels.dropoutRows(out, places, 70, 1, key, 0);
    assert.ok(out.every((x) => x === 0));
  });

  it("differ by site and by key", async () => {
    const memory = await createMemory(1 << 16);
    const cases = [[0, key], [1, key], [0, createRandom(4).key], [0, [key[1], key[0]]]] as const;
    const outs = cases.map(([site, k]) => {
      const out = memory.alloc(64);
      memory.kernels.dropoutRows(out, placesIn(memory, [[0, 0]]), 64, 0.5, k, site);
      return out.join();
    });
    assert.equal(new Set(outs).size, cases.length);
  });
});
