/** Errors of a spec's accelerators that show before anything is opened. */
import { AttuneError, badValue, show, unsupported } from "../base/errors.ts";
import type { Accelerator, Named } from "../types.ts";

/** Returns errors on accelerators that conflict or have nothing to store. `isAdapted`: if the run has an adapter. */
export function wrongAccelerators(accelerators: readonly Accelerator[], isAdapted: boolean): readonly AttuneError[] {
  return accelerators.flatMap((accelerator, i) => {
    if (!accelerator.needsFrozenWeights) return [];
    const path = `accelerators.${i}`;
    const issues: AttuneError[] = [];
    if (!isAdapted && !accelerator.multiply) {
      const why = "it quantizes frozen weights, and without an adapter all of them train";
      issues.push(unsupported("spec", path, accelerator.name, why));
    }
    const rounding = accelerators.find((other) => other.rewrite);
    if (!isAdapted && rounding) {
      const why = `it multiplies float32 weights, which ${show(rounding.name)} rounds before products`;
      issues.push(unsupported("spec", path, `${accelerator.name} beside ${rounding.name}`, why));
    }
    const targets = targetsOf(accelerator);
    const before = accelerators.findIndex((other) => other.needsFrozenWeights && targetsOf(other) === targets);
    if (before < i) {
      const modules = targets === "" ? "all modules" : targets.replaceAll("\n", ", ");
      const other = `${show(accelerators[before]?.name)} of accelerators.${before}`;
      issues.push(badValue("spec", path, accelerator.name, `other targetModules than ${other} (${modules})`));
    }
    return issues;
  });
}

/** Returns a key for the modules that an accelerator asks for; "": all. */
function targetsOf({ modules }: Accelerator): string {
  return [...new Set(modules?.targetModules)].sort().join("\n");
}

/** Options of BitsAndBytesConfig, in lower case without underscores, and their counterparts here. */
const places: Named<string> = {
  quantizationconfig: 'accelerators (as [{ "use": "nf4" }])',
  loadin4bit: 'accelerators (as [{ "use": "nf4" }])',
  loadin8bit: 'accelerators (as [{ "use": "int8" }])',
  bnb4bitquanttype: 'accelerators, as the name: { "use": "nf4" } or { "use": "fp4" }',
  bnb4bitusedoublequant: "accelerators.*.with.useDoubleQuant",
  bnb4bitcomputedtype: "accelerators.*.with.computeDtype",
  bnb4bitblocksize: "accelerators.*.with.blockSize",
  llmint8skipmodules: "accelerators.*.with.skipModules, which adds to what is never quantized",
};

/** Replaces an error on an option name of BitsAndBytesConfig by one that says where the option belongs. */
export function placeIssue(issue: AttuneError): AttuneError {
  if (issue.code !== "UNKNOWN_NAME") return issue;
  const name = issue.path.split(".").at(-1) ?? "";
  const plain = name.replaceAll("_", "").toLowerCase();
  const place = Object.hasOwn(places, plain) ? places[plain] : undefined;
  if (place === undefined) return issue;
  const details = { code: "UNKNOWN_NAME", plugin: "spec", path: issue.path, found: issue.found, allowed: [place] };
  return new AttuneError(`${issue.path}: this belongs in ${place}`, details);
}
