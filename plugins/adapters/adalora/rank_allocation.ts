/** AdaLoRA's allocation of ranks during training (Zhang et al. 2023). */
import { badValue } from "../../../core/base/errors.ts";
import type { Named, StepHook, Tensor } from "../../../core/types.ts";

/** The schedule of the allocation, and the parameters of its modules. */
export type Budget = Readonly<{
  targetR: number;
  initR: number;
  tinit: number;
  tfinal: number;
  deltaT: number;
  beta1: number;
  beta2: number;
  totalStep: number | null;
  modules: readonly Readonly<{ a: string; b: string; e: string }>[];
}>;

type Smoothed = Readonly<{ sensitivity: Float32Array; uncertainty: Float32Array }>;

/**
 * Returns the allocation as a step hook: sensitivity |w ∂w| and its uncertainty are smoothed, a triplet's importance is
 * their product over its value and vectors, and the least important become zero. `told` gets the number of steps.
 */
export function rankStepper(budget: Budget, told: (totalSteps: number) => void): StepHook {
  const { modules, initR, targetR, tinit, tfinal, deltaT, beta1, beta2 } = budget;
  const smoothed = new Map<string, Smoothed>();
  /** By name, which singular values the last allocation kept. */
  const masks = new Map<string, Float32Array>();
  const initial = initR * modules.length;
  const target = targetR * modules.length;

  const smooth = (name: string, value: Float32Array, gradient: Float32Array, gradientScale: number): void => {
    let average = smoothed.get(name);
    if (!average) {
      average = { sensitivity: new Float32Array(value.length), uncertainty: new Float32Array(value.length) };
      smoothed.set(name, average);
    }
    const { sensitivity, uncertainty } = average;
    for (let i = 0; i < value.length; i++) {
      const now = Math.abs((value[i] ?? 0) * (gradient[i] ?? 0) * gradientScale);
      sensitivity[i] = beta1 * (sensitivity[i] ?? 0) + (1 - beta1) * now;
      uncertainty[i] = beta2 * (uncertainty[i] ?? 0) + (1 - beta2) * Math.abs(now - (sensitivity[i] ?? 0));
    }
  };
  const score = (name: string, i: number): number => {
    const average = smoothed.get(name);
    return (average?.sensitivity[i] ?? 0) * (average?.uncertainty[i] ?? 0);
  };
  const importance = (module: Budget["modules"][number], r: number): Float64Array =>
    Float64Array.from({ length: r }, (_, k) => {
      const columns = (smoothed.get(module.a)?.sensitivity.length ?? 0) / r;
      const rows = (smoothed.get(module.b)?.sensitivity.length ?? 0) / r;
      let [a, b] = [0, 0];
      for (let j = 0; j < columns; j++) a += score(module.a, k * columns + j);
      for (let i = 0; i < rows; i++) b += score(module.b, i * r + k);
      return score(module.e, k) + a / columns + b / rows;
    });

  return {
    onStep: ({ step, totalSteps: all, gradientScale, parameter }) => {
      const totalSteps = budget.totalStep ?? all;
      told(totalSteps);
      const end = totalSteps - tfinal;
      if (tinit >= end) {
        throw badValue("adalora", "adapter.with.tinit", tinit, `less than the steps before tfinal (${end})`);
      }
      if (step < end) {
        for (const name of modules.flatMap(({ a, b, e }) => [a, b, e])) {
          const trainable = parameter(name);
          if (trainable) smooth(name, trainable.value, trainable.gradient, gradientScale);
        }
      }
      const share = 1 - (step - tinit) / (end - tinit);
      const due = step === end || (step > tinit && step < end && step % deltaT === 0);
      if (due) {
        const ranks = Math.trunc((initial - target) * share ** 3 + target);
        const scores = modules.map((m) => importance(m, parameter(m.e)?.value.length ?? 0));
        const less = initial - ranks;
        const sorted = Float64Array.from(scores.flatMap((s) => [...s])).sort();
        const threshold = less > 0 ? sorted[less - 1] ?? Infinity : -Infinity;
        modules.forEach((m, i) => masks.set(m.e, Float32Array.from(scores[i] ?? [], (s) => (s <= threshold ? 0 : 1))));
      }
      if (!due && step <= end) return;
      for (const { e } of modules) {
        const value = parameter(e)?.value;
        masks.get(e)?.forEach((keep, k) => {
          if (keep === 0 && value) value[k] = 0;
        });
      }
    },
    tensors: () => {
      const tensors: Record<string, Tensor<Float32Array>> = {};
      const put = (name: string, data: Float32Array): void => {
        tensors[name] = { dtype: "float32", dims: [data.length], data };
      };
      for (const [name, { sensitivity, uncertainty }] of smoothed) {
        put(`sensitivity/${name}`, sensitivity);
        put(`uncertainty/${name}`, uncertainty);
      }
      for (const [name, mask] of masks) put(`kept/${name}`, mask);
      return tensors;
    },
    restore: (tensors: Named<Tensor<Float32Array>>) => {
      const copy = (name: string): Float32Array => Float32Array.from(tensors[name]?.data ?? []);
      for (const name of Object.keys(tensors)) {
        if (name.startsWith("kept/")) masks.set(name.slice("kept/".length), copy(name));
        if (!name.startsWith("sensitivity/")) continue;
        const parameterName = name.slice("sensitivity/".length);
        smoothed.set(parameterName, { sensitivity: copy(name), uncertainty: copy(`uncertainty/${parameterName}`) });
      }
    },
  };
}
