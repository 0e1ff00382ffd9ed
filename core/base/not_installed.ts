/** Packages that are not always installed: one line says what is missing and what gets it. */
import { AttuneError } from "./errors.ts";

/** What an optional package is for, and the command that installs it. */
export type OptionalPackage = Readonly<{ plugin: string; name: string; purpose: string; install: string }>;

/**
 * For `import("name").catch(...)`, which bundlers let pass where the package is absent: an absent package becomes an error
 * with the command that gets it, any other failure stays what it is.
 */
export function notInstalled({ plugin, name, purpose, install }: OptionalPackage): (cause: unknown) => never {
  return (cause) => {
    if (!isAbsent(cause, name)) throw cause;
    throw new AttuneError(`${purpose} needs a package that is not installed: ${install}`, {
      code: "NOT_INSTALLED",
      plugin,
      found: name,
    });
  };
}

// The runtimes agree on no class and on no code, but each names the package in the sentence.
function isAbsent(cause: unknown, name: string): boolean {
  const { code, message } = Object(cause) as { code?: unknown; message?: unknown };
  const absent = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND" ||
    /cannot find (module|package)|could not (find|resolve)|not a dependency|no such module/i.test(String(message));
  return absent && String(message).includes(name);
}
