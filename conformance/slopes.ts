/** Checks that an engine's gradients match the slopes of its loss. */
import type { Engine } from "../core/engine/engine.ts";
import type { SavedTensors } from "../core/engine/state/saved.ts";
import { type Batch, createRandom } from "../kit.ts";
import { assert } from "./assert.ts";

const norm = (x: Float32Array): number => Math.sqrt(x.reduce((sum, g) => sum + g * g, 0));

/**
 * Asserts that the loss changes as the gradients predict along directions in which each tensor moves by its own length,
 * by four-point differences with an error of fourth order.
 */
export async function assertSlopes(engine: Engine, batch: Batch, least = 0.1): Promise<void> {
  const loss = async (): Promise<number> =>
    (await engine.step([batch], { step: 1, learningRate: 0, maxGradNorm: 0 })).loss;
  await loss();
  const gradients = new Map(engine.state.trained.map((t) => [t.name, Float32Array.from(t.span.gradient)]));
  const start = engine.state.weights();
  const random = createRandom(7);
  for (let direction = 0; direction < 3; direction++) {
    const lengths = new Map(
      engine.state.trained.map(({ name }, i) => [name, 2 * random.fork("length", direction).uniform(i) - 1]),
    );
    const at = async (step: number): Promise<number> => {
      const moved: Record<string, SavedTensors[string]> = { ...start };
      for (const [name, gradient] of gradients) {
        const [startTensor, size] = [start[`parameter/${name}`], norm(gradient)];
        if (!startTensor || size === 0) continue;
        const scale = step * (lengths.get(name) ?? 0) / size;
        moved[`parameter/${name}`] = {
          ...startTensor,
          data: startTensor.data.map((x, i) => x + scale * (gradient[i] ?? 0)),
        };
      }
      engine.state.setWeights(moved);
      return await loss();
    };
    const h = 0.0025;
    const slope = (8 * (await at(h) - await at(-h)) - (await at(2 * h) - await at(-2 * h))) / (12 * h);
    let [predicted, size] = [0, 0];
    for (const [name, gradient] of gradients) {
      predicted += (lengths.get(name) ?? 0) * norm(gradient);
      size += norm(gradient);
    }
    assert.ok(size > least, `gradients of ${size}`);
    assert.ok(
      Math.abs(slope - predicted) < 5e-4 * size,
      `direction ${direction}: slope ${slope}, told ${predicted}, of ${size}`,
    );
  }
  engine.state.setWeights(start);
}
