/** Checks of plugins of any kind. */
import type { Kind, Plugin } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";

/** Returns the checks of a plugin's kind, name and options. */
export function pluginChecks({ kind, name, options }: Plugin, expected: Kind): readonly Check[] {
  return [
    check("carries its kind, a name in lower-case words with dashes, and its options, which are JSON", () => {
      assert.equal(kind, expected);
      assert.match(name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      assert.ok(typeof options === "object" && options !== null, "options are an object");
      assert.doesNotThrow(() => JSON.stringify(options));
    }),
  ];
}
