/**
 * Random search.
 * @module
 */
import * as v from "valibot";
import {
  drawFrom,
  type SearchInput,
  type SearchOptions,
  searchOptions,
  settingsOf,
  trialsOption,
} from "../../blocks/search/mod.ts";
import { define } from "../../core/spec/define.ts";
import { chooseIn } from "../../core/spec/search_space.ts";
import type { Factory } from "../../core/types.ts";

/**
 * Draws every option independently.
 *
 * @example
 * ```ts
 * import { random } from "attune/searches/random";
 * const search = random({ space: { "training.learningRate": { type: "float", low: 1e-5, high: 1e-2, log: true } } });
 * console.assert(search.settings.trials === 20);
 * ```
 */
export const random: Factory<"search", SearchInput> = define({
  kind: "search",
  name: "random",
  schema: v.strictObject({
    ...searchOptions,
    trials: trialsOption,
  }) as unknown as v.GenericSchema<SearchInput, SearchOptions>,
  create: (options: SearchOptions) => ({
    settings: settingsOf(options),
    next: ({ space }, stream) => chooseIn(space, (path, own) => drawFrom(own, stream.fork(path))),
  }),
});
