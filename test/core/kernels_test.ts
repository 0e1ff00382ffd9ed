import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bytesModule, compileKernels } from "../../build/kernels.ts";
import { createMemory, type KernelMemory } from "../../core/kernels/kernels.ts";
import { createRandom, fillNormal } from "../../core/random.ts";

const lengths = [1, 3, 4, 31, 32, 33, 257];
const key = createRandom(3).key;

async function both(run: (memory: KernelMemory) => ArrayLike<number>[]): Promise<void> {
  const [simd, plain] = [await createMemory(1 << 20), await createMemory(1 << 20, { fallback: true })];
  assert.notEqual(simd.kernels, plain.kernels);
  assert.deepEqual(run(simd), run(plain));
}
const filled = (memory: KernelMemory, length: number, stream: string): Float32Array => {
  const x = memory.alloc(length);
  fillNormal(createRandom(1).fork(stream), x, 1);
  return x;
};

describe("kernels", () => {
  it("are what their source compiles to", async () => {
    const bytes = await compileKernels();
    assert.deepEqual(new Uint8Array(readFileSync(new URL("../../core/kernels/kernels.wasm", import.meta.url))), bytes);
    assert.equal(readFileSync(new URL("../../core/kernels/bytes.ts", import.meta.url), "utf8"), bytesModule(bytes));
  });

  for (const n of lengths) {
    it(`give the same bits with and without SIMD (${n})`, () =>
      both((memory) => {
        const [p, g, m, v, b] = ["p", "g", "m", "v", "b"].map((s) => filled(memory, n, s)) as Float32Array[] as [
          Float32Array,
          Float32Array,
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        v.forEach((x, i) => (v[i] = Math.abs(x)));
        const { kernels } = memory;
        const span = <S extends string>(state: { readonly [K in S]: Float32Array }) => ({
          name: "x",
          shape: [n],
          parameter: p,
          gradient: g,
          state,
        });
        kernels.adamw(span({ m, v }), {
          step: 3,
          learningRate: 0.01,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          weightDecay: 0.1,
          gradientScale: 0.7,
        });
        const rest = { learningRate: 0.01, momentum: 0.9, dampening: 0.1, weightDecay: 0.1, gradientScale: 0.7 };
        kernels.sgd(span({ momentum: b }), { step: 1, nesterov: false, ...rest });
        kernels.sgd(span({ momentum: b }), { step: 2, nesterov: true, ...rest });
        kernels.scale(g, 1.3);
        kernels.axpy(g, 0.3, m);
        return [p, g, m, v, b, [kernels.sumOfSquares(p)]];
      }));
  }

  it("let NaN and infinity through", async () => {
    const memory = await createMemory(1 << 16);
    const x = memory.alloc(9);
    x[7] = NaN;
    assert.ok(Number.isNaN(memory.kernels.sumOfSquares(x)));
    x[7] = Infinity;
    assert.equal(memory.kernels.sumOfSquares(x), Infinity);
  });

  it("add rows up where they belong", () =>
    both((memory) => {
      const [table, values] = [filled(memory, 5 * 6, "t"), filled(memory, 4 * 6, "r")];
      const rows = memory.allocI32(4);
      rows.set([4, 0, -1, 4]);
      memory.kernels.scatterAddRows(table, rows, values, 6);
      return [table];
    }));

  it("refuse more than fits", async () => {
    await assert.rejects(createMemory(5 * 2 ** 30), /4 GiB/);
    const memory = await createMemory(1000);
    assert.throws(() => memory.alloc(1 << 20), /do not fit/);
  });
});

describe("dropout masks", () => {
  const places = (memory: KernelMemory, pairs: readonly (readonly [number, number])[]): Int32Array => {
    const own = memory.allocI32(2 * pairs.length);
    own.set(pairs.flat());
    return own;
  };

  it("have the same bits with and without SIMD", () =>
    both((memory) => {
      const out = memory.alloc(3 * 45);
      memory.kernels.dropoutRows(out, places(memory, [[0, 0], [-1, -1], [7, 3]]), 45, 0.3, key, 2);
      const attention = memory.alloc(1 * 2 * 5 * 5);
      const own = places(memory, [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]);
      memory.kernels.dropoutAttention(attention, own, own, 2, 5, 5, 0.5, key, 1);
      return [out, attention];
    }));

  it("depend on sequence and position, not on where these lie", async () => {
    const memory = await createMemory(1 << 16);
    const [a, b] = [memory.alloc(2 * 40), memory.alloc(2 * 40)];
    memory.kernels.dropoutRows(a, places(memory, [[5, 1], [6, 0]]), 40, 0.5, key, 9);
    memory.kernels.dropoutRows(b, places(memory, [[6, 0], [5, 1]]), 40, 0.5, key, 9);
    assert.deepEqual(a.slice(0, 40), b.slice(40));
    assert.deepEqual(a.slice(40), b.slice(0, 40));
    // attention: sequence 1 alone in a row of 3, and behind another in a row of 5
    const [alone, shared] = [memory.alloc(2 * 9), memory.alloc(2 * 25)];
    const own = places(memory, [[1, 0], [1, 1], [1, 2]]);
    const row = places(memory, [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]);
    memory.kernels.dropoutAttention(alone, own, own, 2, 3, 3, 0.5, key, 4);
    memory.kernels.dropoutAttention(shared, row, row, 2, 5, 5, 0.5, key, 4);
    for (let h = 0; h < 2; h++) {
      for (let q = 0; q < 3; q++) {
        for (let k = 0; k < 3; k++) assert.equal(alone[(h * 3 + q) * 3 + k], shared[(h * 5 + q + 2) * 5 + k + 2]);
      }
    }
  });

  it("drop the share that was asked for and keep the mean", async () => {
    const memory = await createMemory(1 << 22);
    const out = memory.alloc(1000 * 256);
    memory.kernels.dropoutRows(
      out,
      places(memory, Array.from({ length: 1000 }, (_, i) => [i, i % 7] as const)),
      256,
      0.1,
      key,
      0,
    );
    const dropped = out.filter((x) => x === 0).length / out.length;
    assert.ok(Math.abs(dropped - 0.1) < 0.003, `${dropped}`);
    assert.ok(out.every((x) => x === 0 || x === Math.fround(1 / 0.9)));
  });

  it("differ by site and by key", async () => {
    const memory = await createMemory(1 << 16);
    const outs = [[0, key], [1, key], [0, createRandom(4).key]].map(([site, k]) => {
      const out = memory.alloc(64);
      memory.kernels.dropoutRows(
        out,
        places(memory, [[0, 0]]),
        64,
        0.5,
        k as readonly [number, number],
        site as number,
      );
      return out.join();
    });
    assert.equal(new Set(outs).size, 3);
  });
});
