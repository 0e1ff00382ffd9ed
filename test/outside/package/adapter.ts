import { define, type InspectedBackbone, mul } from "attune/kit";
import * as v from "valibot";

/** Linear layers whose outputs are scaled, each by a factor that is learned. */
export const gain = define({
  kind: "adapter",
  name: "gain",
  schema: v.strictObject({ targets: v.optional(v.nullable(v.array(v.string())), null) }),
  create: ({ targets }) => ({
    attach: (backbone: InspectedBackbone, { modules }) => {
      const names = targets ?? backbone.family.targets.attention ?? [];
      const adapts = (path: string) => names.some((name) => path.endsWith(name));
      return {
        linear: (b, call, next) => {
          const y = next(call);
          return adapts(call.path) ? mul(y, b.parameter(`${call.path}.gain`, [call.outFeatures], "ones")) : y;
        },
        // The head trains as a whole.
        isTrainable: (name) => modules.some((module) => name.startsWith(`${module}.`)),
        merge: (name, value, read) => {
          const path = name.slice(0, name.lastIndexOf("."));
          if (!adapts(path)) return value;
          const { data: factors } = read(`${path}.gain`);
          const width = name.endsWith(".bias") ? 1 : value.dims[1] ?? 1;
          return { ...value, data: value.data.map((x, i) => x * Number(factors[Math.floor(i / width)])) };
        },
      };
    },
  }),
});
