/** Fields of the types that users fill in say what they are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";

const types: Readonly<Record<string, readonly string[]>> = {
  "core/types/plugins.ts": ["RunSpec"],
  "core/types/training_arguments.ts": ["TrainingArguments"],
  "core/types/host.ts": ["TrainOptions"],
  "core/run/train/train_whole.ts": ["TrainedRun"],
  "runtimes/host/host.ts": ["HostOptions"],
};

for (const [file, names] of Object.entries(types)) {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  for (const name of names) {
    it(`every field of ${name} has a comment`, () => {
      const from = text.indexOf(`export type ${name} = Readonly<{`);
      assert.ok(from >= 0, `${name} is in ${file}`);
      const lines = text.slice(from, text.indexOf("\n}", from)).split("\n").slice(1);
      const silent = lines.flatMap((line, i) => {
        const field = /^ {2}(?:readonly )?([\w$]+)\??:/.exec(line)?.[1];
        return field !== undefined && !/\*\/\s*$/.test(lines[i - 1] ?? "") ? [field] : [];
      });
      assert.deepEqual(silent, []);
      assert.ok(lines.length > 2);
    });
  }
}
