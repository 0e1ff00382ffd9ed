/**
 * The 3,000 labelled review sentences (Kotzias et al. 2015) that npm's `sentiment` package contains as test data.
 * @module
 */
import * as v from "valibot";
import { rowsInMemory, slicedRows, splitOf, type SplitText } from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badFile, missing } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Factory, Row, Rows } from "../../core/types.ts";

/** Options of {@link reviews}. */
export interface ReviewsOptions {
  /**
   * Every fifth row of each file is "test": 2,400 and 600 rows; "all" has both. Parts such as `train[:10%]` work, too.
   */
  readonly split: SplitText<"train" | "test" | "all">;
}

const files: readonly string[] = ["amazon", "imdb", "yelp"];

/**
 * Sentences from Amazon, IMDb and Yelp with `label` "negative" or "positive".
 *
 * @throws AttuneError from `open` if the package is not installed.
 * @example
 * ```ts
 * import { reviews } from "attune/data/reviews";
 * console.assert(reviews({ split: "test" }).name === "reviews");
 * ```
 */
export const reviews: Factory<"data", Partial<ReviewsOptions>> = define({
  kind: "data",
  name: "reviews",
  schema: v.strictObject({ split: splitOf<"train" | "test" | "all">(["train", "test", "all"], "train") }),
  create: ({ split }: ReviewsOptions) => ({
    open: async (host) => {
      const folder = host.packageDirectory?.("sentiment");
      if (folder === undefined || !host.directory) {
        throw missing(
          "reviews",
          "npm's package `sentiment` (npm install --save-dev sentiment), which contains these rows,",
          "node_modules",
        );
      }
      const store = host.directory(folder);
      const open = async (split: string): Promise<Rows> => {
        const rows: Row[] = [];
        for (const name of files) {
          const labelled = labelledRows(
            await store.get(`test/fixtures/${name}.json`),
            `${folder}/test/fixtures/${name}.json`,
          );
          labelled.forEach((r, i) => {
            if (split === "all" || (i % 5 === 4) === (split === "test")) {
              rows.push({ text: r.text, label: r.class === 1 ? "positive" : "negative" });
            }
          });
        }
        return rowsInMemory(rows, await sha256(JSON.stringify(rows)));
      };
      return await slicedRows("reviews", split, { names: ["train", "test", "all"], open });
    },
  }),
});

type Labelled = Readonly<{ text: string; class: 0 | 1 }>;

/** Returns the rows of a file, without empty ones. */
function labelledRows(file: { readonly bytes: Uint8Array } | undefined, path: string): Labelled[] {
  if (!file) throw badFile("reviews", path, "does not exist: sentiment 5.0.2 has it");
  let all: unknown;
  try {
    all = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.bytes));
  } catch (cause) {
    throw badFile("reviews", path, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  if (!Array.isArray(all)) throw badFile("reviews", path, "is not a list");
  return all.filter((r): r is Labelled =>
    typeof r?.text === "string" && r.text !== "" && (r.class === 0 || r.class === 1)
  );
}
