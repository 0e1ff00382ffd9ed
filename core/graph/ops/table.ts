/** The records of all ops. The rest of the engine looks properties up here instead of comparing the names of ops. */
import { arrangement } from "./arrangement.ts";
import { alongAxes } from "./along_axes.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexing.ts";
import { products } from "./products.ts";
import type { OpRecord } from "./record.ts";
import type { Op } from "./ops.ts";

const records: { readonly [O in Op]: OpRecord<O> } = {
  ...elementwise,
  ...products,
  ...arrangement,
  ...indexing,
  ...alongAxes,
};

/** The record of each op. A lookup by a node's op has the type of any op's record: node and record always match. */
export const opTable: { readonly [O in Op]: OpRecord<Op> } = records as { readonly [O in Op]: OpRecord<Op> };
