/**
 * The loggers of runs that commands make.
 * @module
 */
import type { Json, Named, Use } from "../../core/types.ts";

const nameOf = (use: Use<"logger">): string => (typeof use === "string" ? use : "use" in use ? use.use : use.name);

/** Every run of a command writes log.jsonl and report.html; the console is the command's own. */
export function withLoggers(spec: Named<Json>): Named<Json> {
  const { loggers = [] } = spec;
  const given = (Array.isArray(loggers) ? loggers : [loggers]) as readonly Use<"logger">[];
  const own = ["jsonl", "report"].filter((name) => !given.some((use) => nameOf(use) === name));
  return { ...spec, loggers: [...given.filter((use) => nameOf(use) !== "console"), ...own] as unknown as Json };
}

/** A spec whose run writes predictions.jsonl, whatever else of that kind it asks for. */
export function withPredictions(spec: Named<Json>): Named<Json> {
  const { loggers = [] } = spec;
  const given = (Array.isArray(loggers) ? loggers : [loggers]) as readonly Use<"logger">[];
  return {
    ...spec,
    loggers: [...given.filter((use) => nameOf(use) !== "predictions"), "predictions"] as unknown as Json,
  };
}
