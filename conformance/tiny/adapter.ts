/** A tiny adapter: a product of two small matrices beside every linear layer. */
import { add, define, type Factory, matmul, type Named, sizeOf, transpose } from "../../kit.ts";
import { anyOptions } from "./words.ts";

const RANK = 2;

/** Adapter y = W x + B A x, where B is initially zero. */
export const tinyAdapter: Factory<"adapter", Named<unknown>> = define({
  kind: "adapter",
  name: "tiny-low-rank",
  schema: anyOptions,
  create: () => ({
    attach: (backbone, { modules }) => {
      const saved = (path: string): boolean => modules.some((m) => path === m || path.startsWith(`${m}.`));
      const adapted = new Set(backbone.linears.filter((path) => !saved(path)));
      return {
        isTrainable: (name) => modules.some((module) => name.startsWith(`${module}.`)),
        linear: (b, call, next) => {
          const y = next(call);
          if (!adapted.has(call.path)) return y;
          const a = b.parameter(`${call.path}.lora_A.weight`, [RANK, call.inFeatures], { normal: 0.1 });
          const out = b.parameter(`${call.path}.lora_B.weight`, [call.outFeatures, RANK], "zeros");
          return add(y, matmul(matmul(call.x, transpose(a)), transpose(out)));
        },
        merge: (name, value, tensorOf) => {
          const path = name.slice(0, -".weight".length);
          if (!name.endsWith(".weight") || !adapted.has(path)) return value;
          const [a, b] = [tensorOf(`${path}.lora_A.weight`), tensorOf(`${path}.lora_B.weight`)];
          const [rows = 0, columns = 0] = value.dims;
          const data = Float32Array.from({ length: sizeOf(value.dims) }, (_, at) => {
            const [i, j] = [Math.floor(at / columns), at % columns];
            let sum = value.data[at] ?? NaN;
            for (let k = 0; k < RANK; k++) sum += (b.data[i * RANK + k] ?? NaN) * (a.data[k * columns + j] ?? NaN);
            return sum;
          });
          return { ...value, dims: [rows, columns], data };
        },
        record: { formats: { peft: "TINY" }, config: { peft_type: "TINY" }, key: (name) => name },
      };
    },
  }),
});
