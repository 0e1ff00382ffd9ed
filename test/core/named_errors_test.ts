import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../tiny.ts";

const host = tinyHost(await hostHere(1));
const broken = (): never => {
  throw new TypeError("a bug");
};
const base = (kind: string): object => ({ kind, name: "odd", options: {} });

async function run(part: object): Promise<void> {
  for await (const _ of trainRun(compose({ ...tinySpec(), ...part } as RunSpec, catalog), host, {})) {
    /* to its end */
  }
}

const parts: Readonly<Record<string, object>> = {
  schedule: { schedule: { ...base("schedule"), factor: broken } },
  logger: { loggers: [{ ...base("logger"), open: async () => await Promise.reject(new TypeError("a bug")) }] },
  data: { data: { train: { ...base("data"), open: broken } } },
  collator: { collator: { ...base("collator"), encode: broken } },
  loss: { loss: { ...base("loss"), over: "batch", sum: broken, count: () => 1 } },
};
for (const [kind, part] of Object.entries(parts)) {
  it(`a ${kind} that throws is named, and its own error is kept`, async () => {
    await assert.rejects(run(part), (error: AttuneError) => {
      assert.ok(error instanceof AttuneError && error.cause instanceof TypeError);
      assert.match(error.message, new RegExp(`The ${kind} "odd" failed: TypeError: a bug`));
      return true;
    });
  });
}
