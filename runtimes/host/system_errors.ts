/** Errors of this machine's file system. */
import { AttuneError, storeFailed } from "../../core/base/errors.ts";

/** Whether an error is one of the system. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && !(error instanceof AttuneError) && "code" in error && typeof error.code === "string";
}

/** Returns undefined if there is no such file. Throws any other error. */
export function absent(error: unknown): undefined {
  if (isSystemError(error) && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
  throw error;
}

/** Returns false if there is already such a file. Throws any other error. */
export function falseIfExists(error: NodeJS.ErrnoException): false {
  if (error.code === "EEXIST") return false;
  throw error;
}

/** Runs an operation on a key, and converts the system's errors to the store's. */
export function withStoreErrors<T>(key: string, act: () => Promise<T>): Promise<T> {
  return act().catch((error) => {
    throw isSystemError(error) ? storeFailed("directory", key, error) : error;
  });
}
