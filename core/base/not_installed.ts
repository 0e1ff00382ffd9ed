/** Optional packages: the error for one that is not installed says how to install it. */
import { AttuneError } from "./errors.ts";

/** An optional package: its purpose and the command that installs it. */
export type OptionalPackage = Readonly<{ plugin: string; name: string; purpose: string; install: string }>;

/**
 * Returns a handler for `import("name").catch(...)`, a form in which bundlers accept an absent package. It throws an
 * error with the command that installs an absent package; any other failure is rethrown.
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

// The runtimes agree neither on a class nor on a code, but all name the package in the message.
function isAbsent(cause: unknown, name: string): boolean {
  const { code, message } = Object(cause) as { code?: unknown; message?: unknown };
  const absent = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND" ||
    /cannot find (module|package)|could not (find|resolve)|not a dependency|no such module/i.test(String(message));
  return absent && String(message).includes(name);
}
