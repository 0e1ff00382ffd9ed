/** Exit codes of commands. */
import process from "node:process";
import { AttuneError } from "../../core/base/errors.ts";

/** The exit code of each outcome. */
export const exitCodes: Readonly<{ done: 0; failed: 1; usage: 2; refused: 3; interrupted: 130 }> = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  interrupted: 130,
};

/** Codes of errors that the user's input causes, as opposed to failures of the run. */
const usageCodes: ReadonlySet<string> = new Set([
  "BAD_SPEC",
  "BAD_VALUE",
  "BAD_OPTION",
  "UNKNOWN_NAME",
  "UNKNOWN_LABEL",
  "UNKNOWN_COLUMN",
  "MISSING",
  "NO_MATCH",
  "UNSUPPORTED",
  "EMPTY_DATA",
  "NO_LABELS",
  "NOTHING_TRAINS",
  "BAD_FILE",
  "BAD_PLUGIN",
  "NOT_INSTALLED",
  "USAGE",
  "SHAPE_MISMATCH",
  "MISSING_INPUT",
  "NOT_WRITABLE",
  "BAD_TOKEN",
]);

/** Runs a command. Prints its error, of an AttuneError just the message, and converts it to an exit code. */
export async function exitCode(command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const message = error instanceof AttuneError ? error.message : error instanceof Error ? error.stack : error;
    process.stderr.write(`${message}\n`);
    if (!(error instanceof AttuneError)) return exitCodes.failed;
    if (error.code === "REFUSED") return exitCodes.refused;
    return usageCodes.has(error.code) ? exitCodes.usage : exitCodes.failed;
  }
}
