/** All ops: a record of each. The rest of the engine asks here, and knows no op by name where it need not. */
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

/** The record of an op. Who has a node of any op gets a record of any: the two belong together. */
export const opTable: { readonly [O in Op]: OpRecord<Op> } = records as { readonly [O in Op]: OpRecord<Op> };
