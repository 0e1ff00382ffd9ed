import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directory } from "../../../plugins/queues/directory.ts";
import { memory } from "../../../plugins/queues/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { checksOf, queueChecks } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";

const host = await hostHere(1);
itPasses("queue memory", checksOf(memory(), { host, shortest: 0.4 }));
itPasses(
  "queue directory",
  queueChecks({
    open: async () => {
      const path = mkdtempSync(join(tmpdir(), "attune-queue-"));
      const shared = () => directory({ path }).open(host);
      return { queue: await shared(), shared };
    },
    shortest: 0.6,
  }),
);
