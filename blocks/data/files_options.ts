/** Options of file-based datasets. */
import * as v from "valibot";
import { slicesIn } from "./slices.ts";
import { role } from "../options/mod.ts";

/** Options of file-based datasets. */
export interface FilesOptions {
  /** A file, several files, a pattern (`rows/*.csv.gz`), or a folder; `.gz` and `.zst` are decompressed. */
  readonly path: string | readonly string[];
  /**
   * The rows to read, in the notation of `datasets`: `train[:10%]`, `train[100:200]+test`. Only folders have splits, by
   * the names of their files; everything else is "train". Null: "train", or the only split.
   */
  readonly split: string | null;
}

/** Schema of the path of data files. */
type PathSchema = v.GenericSchema<string | readonly string[]>;

/** Schema of one slice of rows. */
export const splitOption: v.OptionalSchema<v.NullableSchema<v.StringSchema<undefined>, undefined>, null> = v.optional(
  v.nullable(v.string()),
  null,
);

/** One of the named splits, or a slice or sum of splits in the notation of `datasets`. */
export type SplitText<N extends string> = N | `${N}[${string}` | `${N}(${string}` | `${N}${" " | ""}+${string}`;

/** Schema of {@link SplitText}. */
export function splitOf<N extends string>(
  names: readonly N[],
  first: N,
): v.OptionalSchema<SplitSchema<N>, SplitText<N>> {
  const isSplitText = (text: string): boolean => {
    try {
      return slicesIn("data", text).every(({ split }) => (names as readonly string[]).includes(split));
    } catch {
      return false;
    }
  };
  const schema = v.pipe(v.string(), v.check(isSplitText, `${names.join(", ")}, or a part of one as "${first}[:10%]"`));
  return v.optional(schema as unknown as SplitSchema<N>, first);
}

type SplitSchema<N extends string> = v.GenericSchema<SplitText<N>>;

const filePath = v.pipe(v.string(), v.nonEmpty("a path, which is not empty"));

/** The entries of {@link FilesOptions} in a plugin's schema. */
export const filesOptions: Readonly<{ path: PathSchema; split: typeof splitOption }> = {
  path: role(v.union([filePath, v.pipe(v.array(filePath), v.minLength(1, "at least one path"))]), { role: "path" }),
  split: splitOption,
};
