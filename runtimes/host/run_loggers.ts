/** The loggers of runs that commands make. */
import type { Json, Named, Use } from "../../core/types.ts";

const nameOf = (use: Use<"logger">): string => (typeof use === "string" ? use : "use" in use ? use.use : use.name);

/** The loggers that a spec names. */
function loggersIn({ loggers = [] }: Named<Json>): readonly Use<"logger">[] {
  return (Array.isArray(loggers) ? loggers : [loggers]) as readonly Use<"logger">[];
}

/** Every run of a command writes log.jsonl and report.html; the console is the command's own. */
export function withLoggers(spec: Named<Json>): Named<Json> {
  const loggers = loggersIn(spec);
  const missing = ["jsonl", "report"].filter((name) => !loggers.some((use) => nameOf(use) === name));
  return { ...spec, loggers: [...loggers.filter((use) => nameOf(use) !== "console"), ...missing] as unknown as Json };
}

/** A spec whose run writes predictions.jsonl, whatever else of that kind it asks for. */
export function withPredictions(spec: Named<Json>): Named<Json> {
  const others = loggersIn(spec).filter((use) => nameOf(use) !== "predictions");
  return { ...spec, loggers: [...others, "predictions"] as unknown as Json };
}
