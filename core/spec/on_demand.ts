/**
 * Composition of a run that loads only the plugins it needs, for processes that do a single run.
 */
import { compose } from "./compose.ts";
import { findArchitecture, type Imports, loadCatalog, loaderOf, type PluginLoader } from "./loader.ts";
import { type PluginPackage, withPackages } from "./packages.ts";
import type { Run, RunSpec } from "../types.ts";

/**
 * Composes a run as {@link compose} does, but loads only the plugins that its spec names, those that they name in turn,
 * and the architecture of its model once it is known. The plugins of `packages` are included.
 *
 * @throws AttuneError (`BAD_SPEC`) that lists every error of the spec.
 * @example
 * ```ts
 * import { composeOnDemand } from "attune";
 * import { imports } from "attune/imports";
 * const run = await composeOnDemand({
 *   version: 1,
 *   model: { use: "pretrained", with: { path: "./model" } },
 *   task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
 *   data: { train: { use: "memory", with: { rows: [{ text: "fine", label: "good" }] } } },
 * }, imports);
 * console.assert(run.optimizer.name === "adamw");
 * ```
 */
export async function composeOnDemand(
  spec: RunSpec,
  plugins: Imports | PluginLoader,
  packages: readonly PluginPackage[] = [],
): Promise<Run> {
  const loader = loaderOf(plugins, withPackages({}, packages));
  const run = compose(spec, await loadCatalog(spec, loaderOf(plugins), packages));
  return {
    ...run,
    architectureFor: (modelType) => findArchitecture(loader, modelType),
    composeOther: (other) => composeOnDemand(other, plugins, packages),
  };
}
