/** What writes a run's result is found by what exporters say they can leave, whatever they are called. */
import assert from "node:assert/strict";
import { it } from "node:test";
import * as v from "valibot";
import { compose } from "../../../core/spec/compose.ts";
import { define } from "../../../core/spec/define.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Catalog, Exporter, Json, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

const host = tinyHost(await hostHere(1));

/** An exporter that writes one file. */
const exporter = (name: string, leaves?: Exporter["leaves"]) =>
  define({
    kind: "exporter",
    name,
    schema: v.strictObject({}),
    create: () => ({
      ...(leaves && { leaves }),
      write: async (trained, to) => {
        const { formats = {} } = trained.attached[0]?.record ?? {};
        await to.put(`${name}.json`, jsonBytes(formats));
        return [`${name}.json`];
      },
    }),
  });

/** The files that a run leaves in adapter/ and model/, with their texts. */
async function left(exporters: Catalog["exporter"], adapter: Json): Promise<Record<string, string>> {
  const spec = tinySpec({ adapter, training: { maxSteps: 1 } }) as unknown as RunSpec;
  const output = await memory().open(host);
  const run = compose(spec, { ...catalog, exporter: exporters } as Catalog);
  for await (const _ of trainRun(run, host, { output }));
  const files: Record<string, string> = {};
  for await (const { key } of output.list("")) {
    if (/^(adapter|model)\//.test(key)) files[key] = new TextDecoder().decode((await output.get(key))?.bytes);
  }
  return files;
}

const whole = exporter("whole", () => "model");
const adapters = exporter(
  "of-adapters",
  (attached) => attached.some((a) => a.record?.formats.peft) ? "adapter" : undefined,
);
const asked = exporter("asked");

it("an exporter that can leave an adapter is found by that, and what it is given says what each format calls it", async () => {
  const all = { asked, whole, "of-adapters": adapters };
  assert.deepEqual(await left(all, [{ use: "lora" }]), { "adapter/of-adapters.json": '{"peft":"LORA"}' });
  assert.deepEqual(await left(all, [{ use: "bitfit" }]), { "model/whole.json": "{}" });
});

it("where no exporter can leave what trained, the run says so and names the format", async () => {
  await assert.rejects(left({ asked, whole }, [{ use: "ia3" }]), /an exporter of an adapter \(peft\)/);
  await assert.rejects(left({ asked, "of-adapters": adapters }, [{ use: "pfeiffer" }]), /\(adapterhub\)/);
});
