import { define, type Tensor, writeSafetensors } from "attune/kit";
import * as v from "valibot";

/** What trained, under its names in the run. */
export const trainedTensors = define({
  kind: "exporter",
  name: "trained-tensors",
  schema: v.strictObject({}),
  create: () => ({
    write: async (trained, to) => {
      const tensors: Record<string, Tensor> = {};
      for (const name of trained.trained) tensors[name] = await trained.read(name);
      await to.put("trained.safetensors", writeSafetensors(tensors));
      return ["trained.safetensors"];
    },
  }),
});
