/**
 * Exports adapters in PEFT's format.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import type { AttachedAdapter, Factory } from "../../core/types.ts";
import { adapterFiles } from "../../formats/peft/files.ts";
import type { writePeft as WritePeft } from "../../formats/peft/write.ts";

/**
 * adapter_config.json, adapter_model.safetensors and README.md, which PEFT's `from_pretrained` loads, and
 * head_config.json with the names of the classes. Bottlenecks and ReFT, which PEFT does not have, are saved as
 * AdapterHub does.
 *
 * @throws AttuneError from `write` if the run has no adapter that PEFT knows.
 * @example
 * ```ts
 * import { peft } from "attune/exporters/peft";
 * console.assert(peft().name === "peft");
 * ```
 */
export const peft: Factory<"exporter"> = define({
  kind: "exporter",
  name: "peft",
  schema: v.strictObject({}),
  create: () => ({
    leaves: (attached) => (attached.some(isSaved) ? "adapter" : undefined),
    write: async (trained, to) => {
      const saved = trained.attached.filter(isSaved);
      if (saved.length === 0) throw missing("peft", "an adapter that PEFT can load", "the run");
      const written: string[] = [];
      const put = async (key: string, content: Uint8Array | string): Promise<void> => {
        await to.put(key, typeof content === "string" ? new TextEncoder().encode(content) : content);
        written.push(key);
      };
      for (const [i, attached] of saved.entries()) {
        const folder = i === 0 ? "" : `${attached.name}/`;
        const write = await writerOf(attached);
        await write(trained, attached, i === 0, (key, content) => put(folder + key, content));
      }
      // Says which of the run's adapters is in which folder.
      if (trained.attached.length > 1) {
        const places = trained.attached.map((a) => (isSaved(a) ? (a === saved[0] ? "." : a.name ?? ".") : null));
        await put(adapterFiles.places, JSON.stringify(places) + "\n");
      }
      await put("README.md", trained.card);
      if (!trained.task.modules) return written;
      const { writeSentenceFiles } = await import("../../blocks/exporter/mod.ts");
      return [...written, ...await writeSentenceFiles(trained, to)];
    },
  }),
});

/** Whether an adapter has a format that is written here. */
function isSaved({ record }: AttachedAdapter): boolean {
  return record?.formats.peft !== undefined || record?.formats.adapterhub !== undefined;
}

/** Returns the function that writes an adapter in its format. */
async function writerOf({ record }: AttachedAdapter): Promise<typeof WritePeft> {
  if (record?.formats.adapterhub === undefined) {
    const { writePeft } = await import("../../formats/peft/write.ts");
    return writePeft;
  }
  const { writeHub } = await import("../../formats/adapterhub/write.ts");
  return writeHub;
}
