import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cos, erf, exp, log, pow, sin, tanh } from "../../core/math/math.ts";

type Unary = (x: number) => number;

/** Compares over a grid: relative to the value, or to `floor` where the value is below it. */
function near(name: string, own: Unary, wanted: Unary, range: [number, number], tolerance: number, floor = 0): void {
  it(`${name} from ${range[0]} to ${range[1]}`, () => {
    for (let i = 0; i <= 5000; i++) {
      const x = range[0] + ((range[1] - range[0]) * i) / 5000;
      const [actual, w] = [own(x), wanted(x)];
      assert.ok(Math.abs(actual - w) <= tolerance * Math.max(Math.abs(w), floor), `${x}: ${actual} and ${w}`);
    }
  });
}

describe("functions from arithmetic", () => {
  near("log", log, Math.log, [1e-12, 20], 1e-15);
  near("log", log, Math.log, [1 - 1e-6, 1 + 1e-6], 1e-15);
  near("log of powers of two", (e) => log(2 ** Math.round(e)), (e) => Math.round(e) * Math.LN2, [-1022, 1023], 1e-15);
  near("log below the normal range", (x) => log(x * 1e-310), (x) => Math.log(x * 1e-310), [0.1, 20], 1e-15);
  near("exp", exp, Math.exp, [-700, 709], 1e-15);
  near("exp", exp, Math.exp, [-1, 1], 1e-15);
  near("cos", cos, Math.cos, [-100, 100], 1e-15, 1);
  near("sin", sin, Math.sin, [-100, 100], 1e-15, 1);
  near("sin", sin, Math.sin, [-0.8, 0.8], 1e-15);
  near("cos", cos, Math.cos, [999_000, 1_000_000], 1e-15, 1);
  near("tanh", tanh, Math.tanh, [-20, 20], 2e-15);
  near("tanh", tanh, Math.tanh, [1e-9, 1e-3], 2e-15);
  near("pow", (x) => pow(x, 0.37), (x) => x ** 0.37, [1e-6, 50], 3e-15);
  near("pow", (x) => pow(x, -3.5), (x) => x ** -3.5, [0.01, 9], 1e-14);
  near("pow of a decay", (t) => pow(0.999, Math.round(t)), (t) => 0.999 ** Math.round(t), [1, 10_000], 1e-14);
  near("pow to its limits", (y) => pow(2.5, y), (y) => 2.5 ** y, [-770, 770], 4e-13);

  it("erf as libm has it", () => {
    const figures: readonly (readonly [number, number])[] = [
      [1e-300, 1.1283791670955126e-300],
      [1e-05, 1.1283791670579e-05],
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [0.9, 0.7969082124228322],
      [1.0, 0.8427007929497149],
      [1.5, 0.9661051464753108],
      [2.0, 0.9953222650189527],
      [2.4999, 0.9995928300996666],
      [2.5, 0.999593047982555],
      [3.0, 0.9999779095030014],
      [4.0, 0.9999999845827421],
      [5.5, 0.9999999999999927],
      [5.9, 0.9999999999999999],
    ];
    for (const [x, wanted] of figures) {
      assert.ok(Math.abs(erf(x) - wanted) <= 3e-15 * wanted, `${x}: ${erf(x)} and ${wanted}`);
      assert.equal(erf(-x), -erf(x));
    }
  });
  it("erf joins where its two forms meet", () => assert.ok(Math.abs(erf(2.5) - erf(2.5 - 2 ** -51)) < 3e-15));

  it("edges", () => {
    const table: readonly (readonly [string, number, number])[] = [
      ["log 0", log(0), -Infinity],
      ["log of less", log(-1), NaN],
      ["log of infinity", log(Infinity), Infinity],
      ["log NaN", log(NaN), NaN],
      ["log 1", log(1), 0],
      ["exp of little", exp(-1000), 0],
      ["exp of much", exp(1000), Infinity],
      ["exp -infinity", exp(-Infinity), 0],
      ["exp NaN", exp(NaN), NaN],
      ["exp 0", exp(0), 1],
      ["smallest exp", exp(-745), 5e-324],
      ["0²", pow(0, 2), 0],
      ["0^½", pow(0, 0.5), 0],
      ["0^-1", pow(0, -1), Infinity],
      ["0^NaN", pow(0, NaN), NaN],
      ["3⁰", pow(3, 0), 1],
      ["NaN⁰", pow(NaN, 0), 1],
      ["2¹⁰", pow(2, 10), 1024],
      ["below 0", pow(-2, 0.5), NaN],
      ["tanh 0", tanh(0), 0],
      ["tanh -0", tanh(-0), -0],
      ["tanh infinity", tanh(Infinity), 1],
      ["tanh -infinity", tanh(-Infinity), -1],
      ["tanh NaN", tanh(NaN), NaN],
      ["erf 0", erf(0), 0],
      ["erf infinity", erf(Infinity), 1],
      ["erf NaN", erf(NaN), NaN],
      ["cos 0", cos(0), 1],
      ["cos NaN", cos(NaN), NaN],
      ["sin infinity", sin(Infinity), NaN],
    ];
    for (const [name, found, wanted] of table) assert.equal(found, wanted, name);
  });

  it("have the same bits on every engine", () => {
    // A checksum of the bits of many values: any change of it changes what old runs would give.
    const checksum = (own: Unary, from: number, to: number): number => {
      const values = Float64Array.from({ length: 4000 }, (_, i) => own(from + ((to - from) * i) / 4000));
      return new Uint32Array(values.buffer).reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5) >>>
        0;
    };
    assert.deepEqual(
      [
        checksum(log, 1e-9, 3),
        checksum(exp, -30, 30),
        checksum(cos, -7, 7),
        checksum(sin, -7, 7),
        checksum((x) => pow(x, 0.7), 0, 9),
        checksum(tanh, -3, 3),
        checksum(erf, -4, 4),
      ],
      [820706208, 3505082154, 2909643442, 2652688436, 4019739655, 1255902511, 2286599159],
    );
  });
});
