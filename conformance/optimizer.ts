/** Checks of optimizers. */
import { assert } from "./assert.ts";
import { type Check, check, passedOver } from "./check.ts";
import { createMemory, type KernelMemory } from "../core/kernels/kernels.ts";
import type { FlatParameter, Optimizer } from "../kit.ts";

/**
 * Reference parameters after each step on ½ Σ scale (x - 1)², by torch or by the paper's formulas. `shape`: shape of
 * the tensor (default: a vector); `descent`: the initial learning rate of the check that reaches the minimum.
 */
export type OptimizerFigures = Readonly<{
  learningRate: number;
  shape?: readonly number[];
  descent?: number;
  /** The weights to evaluate after the last step, if they differ from the trained ones. */
  averaged?: readonly number[];
  start: readonly number[];
  scale: readonly number[];
  steps: readonly (readonly number[])[];
}>;

/** Default start, without reference steps. */
const unknownFigures: OptimizerFigures = {
  learningRate: 0.01,
  start: [0.5, -1, 2, 0.25],
  scale: [1, 0.5, 2, 0.1],
  steps: [],
};

/** Creates a parameter span in new memory. */
export async function spanOf(
  optimizer: Optimizer,
  start: readonly number[],
  shape: readonly number[] = [start.length],
): Promise<{ span: FlatParameter; memory: KernelMemory }> {
  const memory = await createMemory(1 << 16);
  const parameter = memory.alloc(start.length);
  parameter.set(start);
  const state = Object.fromEntries(
    Object.entries(optimizer.state(shape, "x")).map(([slot, n]) => [slot, memory.alloc(n)]),
  );
  return { span: { name: "x", shape, parameter, gradient: memory.alloc(start.length), state }, memory };
}

/** Returns the checks of one configuration; without reference `steps`, none are compared. */
export function optimizerChecks(optimizer: Optimizer, known: Partial<OptimizerFigures>): readonly Check[] {
  const figures: OptimizerFigures = { ...unknownFigures, ...known };
  const { start, scale, learningRate, shape } = figures;
  const slope = (span: FlatParameter, factor = 1): void => {
    span.parameter.forEach((x, i) => (span.gradient[i] = factor * (scale[i] ?? 0) * (x - 1)));
  };
  return [
    ...figures.steps.length === 0
      ? [passedOver("takes the reference's steps", "figures.steps")]
      : [check("takes the reference's steps", async () => {
        const { span, memory } = await spanOf(optimizer, start, shape);
        figures.steps.forEach((wanted, i) => {
          slope(span);
          optimizer.update(
            span,
            { step: i + 1, learningRate, appliesWeightDecay: true, gradientScale: 1 },
            memory.kernels,
          );
          wanted.forEach((w, k) =>
            assert.ok(
              Math.abs((span.parameter[k] ?? NaN) - w) <= 2e-6 * Math.max(1, Math.abs(w)),
              `step ${i + 1}, ${k}: ${span.parameter[k]} and ${w}`,
            )
          );
        });
        const evaluated = new Float32Array(start.length);
        assert.equal(optimizer.swapEvaluationWeights !== undefined, figures.averaged !== undefined);
        optimizer.swapEvaluationWeights?.(span, evaluated);
        figures.averaged?.forEach((w, k) =>
          assert.ok(Math.abs((evaluated[k] ?? NaN) - w) <= 2e-6, `${evaluated[k]} ${w}`)
        );
      })],
    check("reaches the bottom of a parabola", async () => {
      const { span, memory } = await spanOf(optimizer, [1.5, 0.5], shape && [2, 1]);
      for (let step = 1; step <= 3000; step++) {
        span.parameter.forEach((x, i) => (span.gradient[i] = x - 1));
        optimizer.update(
          span,
          {
            step,
            learningRate: (figures.descent ?? 0.05) / Math.sqrt(step),
            appliesWeightDecay: false,
            gradientScale: 1,
          },
          memory.kernels,
        );
      }
      span.parameter.forEach((x) => assert.ok(Math.abs(x - 1) < 1e-2, `${x}`));
    }),
    check("scales the gradient as it reads it", async () => {
      const [a, b] = [await spanOf(optimizer, start, shape), await spanOf(optimizer, start, shape)];
      for (let step = 1; step <= 3; step++) {
        slope(a.span, 0.25);
        slope(b.span);
        optimizer.update(a.span, { step, learningRate, appliesWeightDecay: true, gradientScale: 1 }, a.memory.kernels);
        optimizer.update(
          b.span,
          { step, learningRate, appliesWeightDecay: true, gradientScale: 0.25 },
          b.memory.kernels,
        );
      }
      assert.deepEqual(a.span.parameter, b.span.parameter);
    }),
    check("goes on exactly from saved state", async () => {
      const [a, b] = [await spanOf(optimizer, start, shape), await spanOf(optimizer, start, shape)];
      const step = (s: typeof a, i: number): void => {
        slope(s.span);
        optimizer.update(
          s.span,
          { step: i, learningRate, appliesWeightDecay: true, gradientScale: 1 },
          s.memory.kernels,
        );
      };
      for (let i = 1; i <= 4; i++) step(a, i);
      b.span.parameter.set(a.span.parameter);
      for (const [slot, values] of Object.entries(a.span.state)) b.span.state[slot]?.set(values);
      for (let i = 5; i <= 7; i++) {
        step(a, i);
        step(b, i);
      }
      assert.deepEqual(a.span.parameter, b.span.parameter);
    }),
    check("leaves a parameter without gradient to its idle factor", async () => {
      const factor = optimizer.decayWithoutGradient?.({
        step: 1,
        learningRate,
        appliesWeightDecay: true,
        gradientScale: 1,
      });
      if (factor === undefined) return;
      const { span, memory } = await spanOf(optimizer, start, shape);
      optimizer.update(span, { step: 1, learningRate, appliesWeightDecay: true, gradientScale: 1 }, memory.kernels);
      start.forEach((x, i) => assert.ok(Math.abs((span.parameter[i] ?? NaN) - factor * x) < 1e-6));
    }),
  ];
}
