/** Every accelerator passes the checks of its kind. */
import { checksOf } from "../../../conformance/mod.ts";
import { fp4 } from "../../../plugins/accelerators/fp4.ts";
import { nf4 } from "../../../plugins/accelerators/nf4.ts";
import { itPasses } from "../../checks.ts";

for (const plugin of [nf4(), nf4({ blockSize: 32, useDoubleQuant: true }), fp4(), fp4({ computeDtype: "float16" })]) {
  itPasses(`${plugin.name} ${JSON.stringify(plugin.options)}`, checksOf(plugin, { weightBound: 0.25 }));
}
