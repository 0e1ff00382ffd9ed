/** Errors of plugins, which get the plugin's kind and name in their message. */
import { AttuneError } from "../base/errors.ts";
import type { Plugin } from "../types.ts";

/** Wraps a plugin so that its errors state its kind and name; Attune's own errors and aborts stay as they are. */
export function withNamedErrors<P extends Plugin>(plugin: P): P {
  const { kind, name } = plugin;
  const renamed = (error: unknown): unknown => {
    if (!(error instanceof Error) || error instanceof AttuneError || error.name === "AbortError") return error;
    const details = { code: "PLUGIN", plugin: name, path: kind, cause: error };
    return new AttuneError(`The ${kind} "${name}" failed: ${error.name}: ${error.message}`, details);
  };
  const withNamedErrors = (act: (...args: unknown[]) => unknown) => (...args: unknown[]): unknown => {
    try {
      const result = act(...args);
      if (!(result instanceof Promise)) return result;
      return result.catch((error) => {
        throw renamed(error);
      });
    } catch (error) {
      throw renamed(error);
    }
  };
  const parts = Object.entries(plugin).map((
    [key, part],
  ) => [key, typeof part === "function" ? withNamedErrors(part) : part]);
  return Object.fromEntries(parts) as P;
}
