/** Conversion of QA-LoRA's factor A, which reads one number per group of inputs, to one that reads each input. */
import type { Tensor } from "../../core/types.ts";

/** Returns the factor A [r, in] that gives without pooling what a factor [r, groups] gives with it. */
export function unpoolFactor(a: Tensor<Float32Array>, groupSize: number): Tensor<Float32Array> {
  const [r = 0, groups = 0] = a.dims;
  const data = new Float32Array(a.data.length * groupSize);
  const factor = groups / groupSize;
  for (let i = 0; i < data.length; i++) data[i] = (a.data[Math.floor(i / groupSize)] as number) * factor;
  return { dtype: "float32", dims: [r, groups * groupSize], data };
}
