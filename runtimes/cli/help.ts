/** Additions to `--help` besides the options. */
import type { Command } from "commander";

/** Adds examples to the help of a command, and returns the command. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`);
}
