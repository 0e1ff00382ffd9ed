/** The loggers of runs that commands start. */
import type { Json, Named, Use } from "../../core/types.ts";

const nameOf = (use: Use<"logger">): string => (typeof use === "string" ? use : "use" in use ? use.use : use.name);

/** Returns the loggers in a spec. */
function loggersIn({ loggers = [] }: Named<Json>): readonly Use<"logger">[] {
  return (Array.isArray(loggers) ? loggers : [loggers]) as readonly Use<"logger">[];
}

/** Adds loggers for log.jsonl and report.html, which every run of a command writes; the command has its own console. */
export function withLoggers(spec: Named<Json>): Named<Json> {
  const loggers = loggersIn(spec);
  const missing = ["jsonl", "report"].filter((name) => !loggers.some((use) => nameOf(use) === name));
  return { ...spec, loggers: [...loggers.filter((use) => nameOf(use) !== "console"), ...missing] as unknown as Json };
}

/** Replaces a spec's predictions logger by one with default options. */
export function withPredictions(spec: Named<Json>): Named<Json> {
  const others = loggersIn(spec).filter((use) => nameOf(use) !== "predictions");
  return { ...spec, loggers: [...others, "predictions"] as unknown as Json };
}
