import { after, it } from "node:test";
import { storeQueue } from "../../core/jobs/store_queue.ts";
import { testQueue } from "../../runtimes/conformance/queue.ts";
import { here } from "../faults/killed_runs.ts";
import { flare } from "../flare.ts";

if (here !== "node") it("workerd", { skip: "Miniflare runs on Node" }, () => {});
else {
  const { fresh, dispose } = await flare();
  after(dispose);
  testQueue("cloudflare (D1)", {
    open: async () => ({ queue: storeQueue(await fresh(), () => Date.now()) }),
    shortest: 2,
  });
}
