/** Files of `reference/evaluation`, each with what checks it: tests and `npm run parity` take the same. */
import { readFileSync } from "node:fs";
import { describe } from "node:test";
import type { Check } from "../../../conformance/check.ts";
import { itPasses } from "../../checks.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";

/** What checks a file, by its name without `.json`: loaded when it is asked for. `folder`: where the file lies. */
export const evaluationChecks: Readonly<Record<string, (folder: string) => Promise<readonly Check[]>>> = {
  tpe: async (folder) => {
    const { cutNormalChecks, tpeChecks } = await import("./searches.ts");
    const { cases, truncatedNormal } = read(folder, "tpe");
    return [...cutNormalChecks(truncatedNormal), ...tpeChecks(cases)];
  },
  pruners: async (folder) => (await import("./searches.ts")).prunerChecks(read(folder, "pruners").studies),
  search: async (folder) => (await import("./best_of_search.ts")).bestOfSearchChecks(read(folder, "search")),
  folds: async (folder) => (await import("./folds.ts")).foldChecks(read(folder, "folds").sets),
  significance: async (folder) => (await import("./significance.ts")).significanceChecks(read(folder, "significance")),
  duplicates: async (folder) => (await import("./duplicates.ts")).duplicateChecks(read(folder, "duplicates")),
  contamination: async (folder) => (await import("./duplicates.ts")).contaminationChecks(read(folder, "contamination")),
  slices: async (folder) => (await import("./formats.ts")).sliceChecks(read(folder, "slices").slices),
  formats: async (folder) => (await import("./formats.ts")).formatChecks(`${folder}/formats`),
  balance: async (folder) => (await import("./data.ts")).balanceChecks(read(folder, "balance")),
  quality: async (folder) => (await import("./data.ts")).qualityChecks(read(folder, "quality").rows),
  pii: async (folder) => (await import("./data.ts")).personalChecks(read(folder, "pii")),
  fairness: async (folder) => (await import("./fairness.ts")).fairnessChecks(read(folder, "fairness").sets),
  thresholds: async (folder) => (await import("./thresholds.ts")).thresholdChecks(read(folder, "thresholds").sets),
  labels: async (folder) => (await import("./labels.ts")).labelChecks(read(folder, "labels").sets),
  importances: async (folder) => (await import("./searches.ts")).importanceChecks(read(folder, "importances").sets),
};

/** Tests of a file of the reference, skipped where that is not beside the checkout. */
export async function itHolds(name: string): Promise<void> {
  const path = sharedPath("reference/evaluation");
  if (path === undefined) describe(`${name} of the reference`, { skip: SKIP_REASON }, () => {});
  else itPasses(`${name} of the reference`, await evaluationChecks[name]?.(path) ?? []);
}

// deno-lint-ignore no-explicit-any -- Each file has a form of its own, which what checks it names.
function read(folder: string, name: string): any {
  return JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));
}
