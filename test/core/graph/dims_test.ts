/** Symbolic dims against the arithmetic of the numbers they stand for. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  addDims,
  type Dim,
  type DimValues,
  evaluateDim,
  evaluateShape,
  mulDims,
  renameDim,
  sameShape,
  sizeOfShape,
} from "../../../core/graph/ops/dims.ts";

const names = ["batch", "seq", "picks"];
const values: fc.Arbitrary<DimValues> = fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)).map(([batch, seq, picks]) => ({
  batch,
  seq,
  picks,
}));
const leaf: fc.Arbitrary<Dim> = fc.oneof(fc.integer({ min: -4, max: 9 }), fc.constantFrom(...names));
/** Dims made by the functions themselves: a few sums and products of leaves. */
const dim: fc.Arbitrary<Dim> = fc.array(fc.tuple(fc.boolean(), leaf), { minLength: 1, maxLength: 5 }).map((steps) =>
  steps.reduce<Dim>((d, [times, next]) => (times ? mulDims(d, next) : addDims(d, next)), 1)
);

/** Equality that does not tell 0 from -0. */
const same = (a: Dim, b: Dim): void =>
  assert.equal(typeof a === "number" ? a + 0 : a, typeof b === "number" ? b + 0 : b);

describe("dims", () => {
  it("multiply and add as their values do", () => {
    fc.assert(fc.property(dim, dim, values, (a, b, v) => {
      same(evaluateDim(mulDims(a, b), v), evaluateDim(a, v) * evaluateDim(b, v));
      same(evaluateDim(addDims(a, b), v), evaluateDim(a, v) + evaluateDim(b, v));
    }));
  });
  it("have one spelling: order and grouping do not show", () => {
    fc.assert(fc.property(dim, dim, dim, (a, b, c) => {
      same(mulDims(a, b), mulDims(b, a));
      same(addDims(a, b), addDims(b, a));
      same(mulDims(mulDims(a, b), c), mulDims(a, mulDims(b, c)));
      same(addDims(addDims(a, b), c), addDims(a, addDims(b, c)));
      same(mulDims(a, addDims(b, c)), addDims(mulDims(a, b), mulDims(a, c)));
      same(sizeOfShape([a, b, c]), sizeOfShape([c, a, b]));
    }));
  });
  it("take one away by adding its negative, down to a number", () => {
    fc.assert(fc.property(dim, dim, (a, b) => {
      same(addDims(addDims(a, b), mulDims(b, -1)), a);
      same(addDims(a, mulDims(a, -1)), 0);
      same(mulDims(a, 1), a);
      same(mulDims(a, 0), 0);
    }));
  });
  it("rename as if the new name had the old one's value", () => {
    fc.assert(fc.property(dim, values, (d, v) => {
      const renamed = renameDim(d, "seq", "picks");
      assert.ok(typeof renamed === "number" || !renamed.includes("seq"));
      same(
        evaluateDim(renamed, { batch: v.batch ?? 0, picks: v.seq ?? 0 }),
        evaluateDim(d, { ...v, picks: v.seq ?? 0 }),
      );
    }));
  });
  it("say which name has no value", () => {
    assert.throws(() => evaluateDim("batch*seq+8", { batch: 2 }), {
      name: "RangeError",
      message: /"seq" has no value/,
    });
    assert.deepEqual(evaluateShape(["batch*seq", 4, "seq+-1"], { batch: 2, seq: 3 }), [6, 4, 2]);
  });
  it("are the same shape when spelled alike", () => {
    assert.ok(sameShape(["batch", 2], ["batch", 2]));
    assert.ok(!sameShape(["batch", 2], ["batch"]));
    assert.ok(!sameShape(["batch", 2], ["seq", 2]));
  });
});
