import { after, it } from "node:test";
import { storeQueue } from "../../core/jobs/store_queue.ts";
import { queueChecks } from "../../conformance/mod.ts";
import { itPasses } from "../checks.ts";
import { here } from "../faults/killed_runs.ts";
import { flare } from "../flare.ts";

if (here !== "node") it("workerd", { skip: "Miniflare runs on Node" }, () => {});
else {
  const { fresh, dispose } = await flare();
  after(dispose);
  itPasses(
    "queue cloudflare (D1)",
    queueChecks({
      open: async () => ({ queue: storeQueue(await fresh(), () => Date.now()) }),
      shortest: 2,
    }),
  );
}
