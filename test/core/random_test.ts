import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cos, exp, log, pow, sin } from "../../core/math.ts";
import { createRandom, fillNormal, permutation, philox4x32 } from "../../core/random.ts";

const hex = (words: readonly number[]): string => words.map((w) => w.toString(16).padStart(8, "0")).join(" ");

describe("philox4x32-10", () => {
  // The known answers of Random123, its authors' library.
  const ones = 0xffffffff;
  it("zeros", () => assert.equal(hex(philox4x32([0, 0, 0, 0], [0, 0])), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"));
  it("ones", () =>
    assert.equal(hex(philox4x32([ones, ones, ones, ones], [ones, ones])), "408f276d 41c83b0e a20bc7c6 6d5451fd"));
  it("digits of pi", () =>
    assert.equal(
      hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    ));
});

describe("random streams", () => {
  it("are addressed, not advanced", () => {
    const random = createRandom(5);
    const late = random.uniform(1000);
    for (let i = 0; i < 100; i++) random.uniform(i);
    assert.equal(random.uniform(1000), late);
  });
  it("differ by seed and path, and do not confuse paths", () => {
    const keys = [
      createRandom(1),
      createRandom(2),
      createRandom(1).fork("a"),
      createRandom(1).fork("b"),
      createRandom(1).fork(1),
      createRandom(1).fork("1"),
      createRandom(1).fork("a", "b"),
      createRandom(1).fork("ab"),
      createRandom(1).fork("a", 1),
      createRandom(1).fork("abcd"),
      createRandom(1).fork("abcd", ""),
    ];
    assert.equal(new Set(keys.map((r) => r.key.join())).size, keys.length);
  });
  it("are uniform and normal enough", () => {
    const n = 20_000;
    const random = createRandom(9);
    const mean = Array.from({ length: n }, (_, i) => random.uniform(i)).reduce((a, b) => a + b, 0) / n;
    assert.ok(Math.abs(mean - 0.5) < 0.01, `${mean}`);
    const normals = new Float32Array(n);
    fillNormal(random, normals, 2);
    const variance = normals.reduce((a, b) => a + b * b, 0) / n;
    assert.ok(Math.abs(variance - 4) < 0.15, `${variance}`);
  });
  it("shuffle all of 0 to n-1", () =>
    assert.deepEqual([...permutation(createRandom(1), 50)].sort((a, b) => a - b), [...Array(50).keys()]));
  it("have the same bits on every engine", () => {
    const random = createRandom(42).fork("pinned");
    assert.deepEqual([0, 1, 2].map((i) => random.normal(i)), [
      -0.10129398243935286,
      -0.8391356784743818,
      -0.6764598314392832,
    ]);
  });
});

describe("functions from arithmetic", () => {
  const near = (
    name: string,
    own: (x: number) => number,
    wanted: (x: number) => number,
    from: number,
    to: number,
    tolerance = 4e-15,
  ) =>
    it(name, () => {
      for (let i = 0; i <= 2000; i++) {
        const x = from + ((to - from) * i) / 2000;
        const w = wanted(x);
        assert.ok(Math.abs(own(x) - w) <= tolerance * Math.max(Math.abs(w), 1e-3), `${x}: ${own(x)} and ${w}`);
      }
    });
  near("log", log, Math.log, 1e-12, 20);
  near("log of large", log, Math.log, 1, 1e12);
  near("exp", exp, Math.exp, -700, 700);
  near("cos", cos, Math.cos, -100, 100, 1e-13);
  near("sin", sin, Math.sin, -100, 100, 1e-13);
  near("pow", (x) => pow(x, 0.37), (x) => x ** 0.37, 1e-6, 50);
  it("edges", () => {
    assert.deepEqual([log(0), log(-1), exp(-1000), exp(1000), pow(0, 2), pow(3, 0), pow(2, 10)], [
      -Infinity,
      NaN,
      0,
      Infinity,
      0,
      1,
      1024,
    ]);
  });
});
