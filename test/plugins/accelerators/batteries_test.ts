/** Every accelerator passes the checks of its kind. */
import { checksOf } from "../../../conformance/mod.ts";
import { fp4 } from "../../../plugins/accelerators/fp4.ts";
import { int4 } from "../../../plugins/accelerators/int4.ts";
import { int8 } from "../../../plugins/accelerators/int8.ts";
import { nf4 } from "../../../plugins/accelerators/nf4.ts";
import { itPassesSome } from "../../checks.ts";

const plugins = [
  nf4(),
  nf4({ blockSize: 32, useDoubleQuant: true }),
  fp4(),
  fp4({ computeDtype: "float16" }),
  int4(),
  int4({ blockSize: 16, symmetric: false }),
  int4({ symmetric: false, useDoubleQuant: true }),
  int4({ accuracyLevel: 4, useDoubleQuant: true }),
  int8(),
  int8({ backward: "int8" }),
];
for (const plugin of plugins) {
  itPassesSome(`${plugin.name} ${JSON.stringify(plugin.options)}`, checksOf(plugin, { weightBound: 0.25 }));
}
