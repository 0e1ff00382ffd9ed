/**
 * `npm run parity -- --reference DIR [--match REGEX] [--parts cases,losses,...]`: runs every case of a folder of reference figures and says where
 * ours differ.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { built, parity } from "./parity/main.ts";

const { values } = parseArgs({
  options: {
    reference: { type: "string", default: "../shared/reference" },
    match: { type: "string", default: "" },
    parts: { type: "string", default: built.join() },
  },
});
process.exitCode = await parity(values.reference, new RegExp(values.match), values.parts.split(","));
