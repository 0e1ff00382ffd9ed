/** Plugins of this tree import what a stranger can import: what has no door yet is listed, and the list may only shrink. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import * as hub from "../../core/hub/mod.ts";
import * as quantization from "../../formats/quantization/mod.ts";
import * as kit from "../../kit.ts";
import * as users from "../../mod.ts";

/** Names that plugins take from core and formats, and that neither the kit nor another door of a stranger has. */
const withoutDoor: readonly string[] = [
  "core/files/blobs.ts Blob",
  "core/files/blobs.ts Objects",
  "core/files/blobs.ts deleteBlob",
  "core/files/blobs.ts getBlob",
  "core/files/blobs.ts putBlob",
  "core/gguf/file.ts GgufFile",
  "core/gguf/file.ts GgufRows",
  "core/gguf/file.ts openGguf",
  "core/files/gguf_folder.ts ggufIn",
  "core/run/open/fold.ts mergedTensors",
  "core/run/open/ties.ts untiedConfig",
  "core/files/safetensors.ts OpenOptions",
  "core/files/sentence_modules.ts sentenceFiles",
  "core/math/transpose.ts transposeMatrix",
  "formats/adapter_reader.ts AdapterReader",
  "formats/adapterhub/config.ts hubRecord",
  "formats/adapterhub/read.ts readHub",
  "formats/adapterhub/read.ts renameToDefault",
  "formats/hf/carried_files.ts carriedFiles",
  "formats/hf/carried_files.ts vocabularyFiles",
  "formats/hf/class_names.ts classNameOf",
  "formats/hf/config_text.ts configText",
  "formats/hf/head_modules.ts classifierModules",
  "formats/hf/head_modules.ts spanModules",
  "formats/hf/head_modules.ts wordModules",
  "formats/peft/files.ts adapterFiles",
  "formats/peft/lora_scale.ts loraScale",
  "formats/peft/modules_to_save.ts savedModules",
  "formats/peft/peft_type.ts PeftType",
  "formats/peft/read.ts readPeft",
  "formats/peft/record.ts peftRecord",
  "formats/peft/wrapped_key.ts wrappedKey",
  "formats/peft/write.ts writePeft",
  "formats/packed/marks.ts looksPacked",
];

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), "utf8").replaceAll(/^ *\/?\*.*$/gm, "");
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file)).sort();

/** Types that the doors have: all of core's contracts, and those that they name. */
const types = new Set(
  [
    ...["core/types", "formats/quantization"].flatMap(filesIn).flatMap((
      file,
    ) => [...read(file).matchAll(/^export (?:interface|type) (\w+)/gm)]),
    ...["kit.ts", "mod.ts", "core/types.ts", "core/hub/mod.ts", "core/graph/ops/functions.ts"].flatMap((file) => [
      ...read(file).matchAll(/\btype (\w+)\b(?! \*)/g),
      ...[...read(file).matchAll(/export type \{([^}]*)\}/g)].flatMap((
        [, names = ""],
      ) => [...names.matchAll(/(\w+)/g)]),
    ]),
  ].map(([, name]) => name),
);
const values = new Set([kit, hub, users, quantization].flatMap((door) => Object.keys(door)));
const isReachable = (from: string, name: string): boolean =>
  from === "core/math/math.ts" ? name in kit.math : values.has(name) || types.has(name);

it("plugins import what a stranger can import", () => {
  const made = new Set(["plugins/catalog.ts", "plugins/light_catalog.ts", "plugins/imports.ts"]);
  const missing = new Set<string>();
  for (const file of [...filesIn("plugins"), ...filesIn("blocks")].filter((one) => !made.has(one))) {
    for (
      const [, names = "", path = ""] of read(file).matchAll(/^(?:import|export)[^;]*?\{([^}]*)\} from "(\.[^"]+)"/gm)
    ) {
      const from = relative(root, resolve(root, dirname(file), path));
      if (!/^(core|formats)\//.test(from)) continue;
      for (const part of names.split(",").map((one) => one.trim()).filter((one) => one !== "")) {
        const name = part.replace(/^type /, "").replace(/ as .*$/, "");
        const isClosed = from.startsWith("formats/") && !from.startsWith("formats/quantization/");
        if (isClosed || !isReachable(from, name)) missing.add(`${from} ${name}`);
      }
    }
  }
  const found = [...missing].sort();
  assert.deepEqual(found.filter((one) => !withoutDoor.includes(one)), [], "give these a door, or do without them");
  assert.deepEqual(
    withoutDoor.filter((one) => !missing.has(one)),
    [],
    "these have one by now: take them from the list",
  );
});
