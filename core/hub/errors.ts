/** Errors of the hub. */
import { AttuneError } from "../base/errors.ts";

/** Creates an error of the hub; codes begin with `HUB_`. */
export function hubError(code: string, message: string, place: string, cause?: unknown): AttuneError {
  return new AttuneError(message, { code, plugin: "hub", found: place, cause });
}

/** Creates the error of a refused request, from its status and the header x-error-code (`reason`). */
export function refusal(status: number, reason: string | null, what: string): AttuneError {
  return hubError(
    `HUB_${status}`,
    `${what} ${why(status, reason)} (status ${status}${reason ? `, ${reason}` : ""})`,
    what,
  );
}

/** Whether an error may be temporary, so that a retry may help. */
export function mayPass(error: unknown): boolean {
  return error instanceof AttuneError && /^HUB_(UNREACHABLE|TRUNCATED|429|5\d\d)$/.test(error.code);
}

function why(status: number, reason: string | null): string {
  // Without a token, the hub also answers 401 for repositories that do not exist.
  if (reason === "RepoNotFound") {
    return "is not a local folder, and does not exist on the hub or is private: check its name, or set HF_TOKEN";
  }
  if (reason === "RevisionNotFound") return "has no such revision";
  if (reason === "GatedRepo") {
    return "is gated: accept its terms on the hub, and set HF_TOKEN to a token with access";
  }
  if (status === 401 || status === 403) return "is gated or private: set HF_TOKEN to a token with access";
  if (status === 404) return "does not exist, neither as a local folder nor on the hub";
  if (status === 429) return "was requested too often: wait, or set HF_TOKEN";
  return "could not be fetched";
}
